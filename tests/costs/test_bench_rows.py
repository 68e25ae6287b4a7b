"""Times from bench.json, and what does not fit them."""

import json

import pytest

from tests.costs.chips import one_conv
from videoquant.costs.bench_rows import measurements, read_bench, timed_chip
from videoquant.errors import ChipError


def bench(timed, /, **changes):
    def row(engine, mode, precision, ms, clip="a.mp4"):
        return {"clip": clip, "engine": engine, "mode": mode, "precision": precision, "ms": [ms, ms, 9 * ms]}

    rows = [
        row("videoquant", "frame", "int8", 2.0),
        row("videoquant", "exact", "int8", 1.0),
        row("onnxruntime", "frame", "fp32", 9.0),
        row("openvino", "frame", "fp32", 8.0),
        row("openvino", "frame", "int8", 3.0),
        row("videoquant", "frame", "int8", 2.2, "b.mp4"),
    ]
    data = {
        "format": 1,
        "network": timed.name,
        "scheme": "w8a8",
        "threads": 2,
        "macs": sum(timed.macs.values()),
        "machine": {"cpu": "some CPU", "flags": ["avx2", "avx512_vnni"]},
        "rows": rows,
    }
    return data | changes


def test_own_full_frames_and_the_fastest_fp32():
    network = one_conv()
    found = [(row.network, str(row.scheme), row.ms) for row in measurements(bench(network), network)]
    assert found == [("conv", "w8a8", 2.0), ("conv", "fp32", 8.0), ("conv", "w8a8", 2.2)]


def test_another_network_is_refused():
    with pytest.raises(ChipError, match="give the networks in the order of the files"):
        measurements(bench(one_conv()), one_conv(size=12))


def test_chip_before_the_fit():
    network = one_conv()
    chip = timed_chip([bench(network), bench(network, network="other")])
    assert chip.name == "some CPU, 2 threads" and chip.array == (4, 16)
    assert "conv, other" in chip.source
    small = timed_chip([bench(network, machine={"cpu": "x", "flags": ["asimddp"]})])
    assert small.array == (4, 4)
    with pytest.raises(ChipError, match=r"different machines: some CPU, 1 threads; some CPU, 2 threads"):
        timed_chip([bench(network), bench(network, threads=1)])


@pytest.mark.parametrize("text", ["{", "[]", "{}", json.dumps({"format": 9})])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(ChipError, match=r"bench\.json: "):
        read_bench(path)
    with pytest.raises(ChipError, match=r"missing\.json: no such file"):
        read_bench(tmp_path / "missing.json")
