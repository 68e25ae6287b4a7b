"""Rows by hand."""

import json

import pytest

from tests.bench.standins import Doubler, config
from videoquant.bench.interleaved import Samples
from videoquant.bench.machine import this_machine
from videoquant.bench.result import Benchmark


@pytest.fixture
def benchmark():
    return Benchmark("net", "w8a8", 2, 1000, 1e6, this_machine(["torch"]), ())


def samples(name, ms, work=None, mode="frame"):
    runner = Doubler()
    runner.memory_bytes = 3 * 2**20
    return Samples(config(name, mode), runner, ms, work or [1.0] * len(ms), {"iou": 0.9})


def test_ratios_are_of_the_same_frame(benchmark):
    slow_spell = [1.0, 1.0, 10.0, 10.0, 10.0]
    theirs = [3.0, 3.0, 30.0, 30.0, 30.0]
    benchmark.add("clip", [samples("openvino", theirs), samples("videoquant", slow_spell)], [100.0, None])
    openvino, ours = benchmark.rows
    assert openvino.ratio_to_openvino_int8 == 1
    assert ours.ratio_to_openvino_int8 == 3 and ours.ms_median == 10 and ours.ms_spread == 9
    assert ours.ms_p95 == pytest.approx(10)
    assert ours.percent_of_ceiling == pytest.approx(100 * 1000 / 10e-3 / 1e6)
    assert (openvino.peak_memory_mb, ours.peak_memory_mb, ours.stream_memory_mb) == (100, None, 3)


def test_without_openvino_there_is_no_ratio(benchmark):
    benchmark.add("clip", [samples("videoquant", [1.0, 2.0])], [None])
    (row,) = benchmark.rows
    assert row.ratio_to_openvino_int8 is None


def test_modes_that_skip_have_a_line_against_the_dense_time(benchmark):
    dense = samples("videoquant", [10.0, 10.0])
    skipping = samples("videoquant", [3.0, 5.0], [0.2, 0.4], "regions")
    benchmark.add("clip", [dense, skipping], [None, None])
    assert benchmark.rows[0].line is None
    line = benchmark.rows[1].line
    assert line.fixed_ms == pytest.approx(1) and line.fixed_share == pytest.approx(0.1)
    assert benchmark.rows[1].work_share == pytest.approx(0.3)


def test_json_holds_plain_values(benchmark):
    benchmark.add("clip", [samples("openvino", [1.0])], [None])
    data = json.loads(json.dumps(benchmark.to_dict(), allow_nan=False))
    assert data["format"] == 1 and data["machine"]["versions"].keys() == {"python", "torch"}
    (row,) = data["rows"]
    assert row["engine"] == "openvino" and row["agreement"] == {"iou": 0.9} and row["ms"] == [1.0]
