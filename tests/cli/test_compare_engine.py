"""`videoquant compare --engine`: the same rows from integers, and how fast they were."""

import csv
import json

import pytest

from videoquant.exporting import runtime_stream


@pytest.fixture
def rows(small, command, clip):
    def rows(*options):
        schemes = "fp32; w8a8; w8a8 dynamic; w8a4 ds=3%; w8a8->w4a4 T=3; w8a8->w8a8 T=3 adaptive"
        code, out, err = command(
            *("compare", small, "--video", clip, "--schemes", schemes, "--json", "r.json", "--frames", 12),
            *(options or ("--report", "simulated")),
        )
        assert code == 0 and "videoquant" not in err  # on a slow machine it says how far it is
        with open("r.json") as file:
            data = json.load(file)
        return data["engine"], {row["scheme"]: row for row in data["rows"]}, out

    return rows


@pytest.mark.parametrize("engine", ["frame", "exact"])
def test_the_engine_gives_the_rows_of_the_simulation(rows, engine):
    name, simulated, out = rows()
    assert name is None and "frames/s" not in out
    name, ran, out = rows("--engine", engine, "--threads", 1)
    assert name == engine and "frames/s" in out
    for scheme, row in ran.items():
        assert row["gbops_per_frame"] == pytest.approx(simulated[scheme]["gbops_per_frame"], rel=1e-3)
        assert row["sqnr_db"] == pytest.approx(simulated[scheme]["sqnr_db"], abs=0.1)
        assert [frame["key"] for frame in row["per_frame"]] == [
            frame["key"] for frame in simulated[scheme]["per_frame"]
        ]
        assert simulated[scheme]["work_share"] is None
    by_engine = {scheme for scheme, row in ran.items() if row["frames_per_second"]}
    assert by_engine == {"w8a8", "w8a8 dynamic", "w8a4 ds=3%", "w8a8->w4a4 T=3"}
    density = simulated["w8a4 ds=3%"]["density"]
    assert density["mean"] > 0 and ran["w8a4 ds=3%"]["density"] == pytest.approx(density, rel=0.01)
    assert ran["w8a8->w4a4 T=3"]["work_share"] == 1 and 0 < ran["w8a8"]["work_share"] <= 1
    with open("videoquant-report/results.csv", newline="") as file:
        lines = {line["scheme"]: line for line in csv.DictReader(file)}
    assert float(lines["w8a8"]["frames_per_second"]) > 0 and lines["fp32"]["work_share"] == ""
    with open("videoquant-report/report.html") as file:
        assert f"What the integer engine in mode {engine} ran has these numbers" in file.read()


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_other_runtimes_run_what_has_a_form_there(command, small, clip, engine):
    pytest.importorskip(engine)
    code, out, err = command(
        *("compare", small, "--video", clip, "--schemes", "w8a8; w8a8 dynamic", "--json", "r.json"),
        *("--frames", 4, "--engine", engine, "--threads", 1),
    )
    assert code == 0 and "frames/s" in out and "work %" not in out
    assert err.startswith(
        "simulated: w8a8 dynamic: ranges that mse measures on each frame have no form in ONNX"
    )
    with open("r.json") as file:
        data = json.load(file)
    rates = {row["scheme"]: row["frames_per_second"] for row in data["rows"]}
    assert data["engine"] == engine and rates["w8a8"] > 0 and rates["w8a8 dynamic"] is None


def test_a_runtime_that_is_not_there(command, small, clip, monkeypatch):
    monkeypatch.setattr(runtime_stream, "find_spec", lambda name: None)
    code, _, err = command("compare", small, "--video", clip, "--engine", "openvino")
    assert (
        code == 2 and "exported files need openvino to run, which is not there: pip install openvino" in err
    )


def test_an_engine_that_there_is_not(command, small, clip):
    code, _, err = command("compare", small, "--video", clip, "--engine", "fast")
    assert code == 2 and "--engine fast: it must be simulate, frame, exact, onnxruntime or openvino" in err
