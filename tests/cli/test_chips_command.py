"""`videoquant chips`, and --chip of compare and inspect."""

import csv
import json

import pytest

from videoquant.costs.chip_file import chip_names, open_chip
from videoquant.costs.simulator import scheme_cost
from videoquant.costs.workload import workload

TINY = """
name = "tiny"
source = "made up"
array = [4, 4]
buffer_kb = 1
bandwidth_gb_s = 1
overhead_us = 0
[gmacs_per_second]
w8a8 = 1
"""


def test_lists_what_ships(command):
    code, out, _ = command("chips")
    assert code == 0
    for name in chip_names():
        assert name in out and open_chip(name).source[:20] in out


def test_compare_on_a_chip(command, clip, small, tmp_path):
    schemes = "fp32; w8a8; w4a4; w8a8->w4a8 T=3 adaptive; w8a8 ds=1%"
    code, out, err = command(
        *("compare", small, "--video", clip, "--frames", 6, "--schemes", schemes, "--chip", "cortex-a76")
    )
    assert code == 0, err
    assert "chip ms ↓" in out.replace("\u00a0", " ") and "simulated, Arm Cortex-A76" in out
    assert "computes w4a4 as w8a8" in err
    data = json.loads((tmp_path / "videoquant-report" / "results.json").read_text())
    assert data["chip"]["name"].startswith("Arm Cortex-A76")
    rows = {row["scheme"]: row["on_chip"] for row in data["rows"]}
    assert rows["w4a4"]["fallbacks"]["w4a4"] == "w8a8" and rows["fp32"]["fallbacks"] == {}
    assert 0 < rows["w8a8"]["ms"] < rows["fp32"]["ms"] and rows["w8a8"]["ms"] < rows["w8a8 ds=1%"]["ms"]
    for found in rows.values():
        assert found["frames_per_second"] == pytest.approx(1e3 / found["ms"]) and found["mj"] > 0
    with open(tmp_path / "videoquant-report" / "results.csv", newline="") as file:
        lines = {line["scheme"]: line for line in csv.DictReader(file)}
    for name, found in rows.items():
        assert float(lines[name]["chip_ms"]) == found["ms"] and float(lines[name]["chip_mj"]) == found["mj"]
    page = (tmp_path / "videoquant-report" / "report.html").read_text()
    assert "(simulated)</option>" in page and "chip ms, fps, mJ" in page and "w4a4 as w8a8" in page


def test_compare_uses_the_recorded_shares(command, clip, small, tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY.replace("bandwidth_gb_s = 1", "bandwidth_gb_s = 1000"))
    scheme = "w8a8->w8a8 T=3 adaptive tau=2"
    code, _, err = command(
        *("compare", small, "--video", clip, "--frames", 6, "--schemes", scheme, "--chip", "tiny.toml")
    )
    assert code == 0, err
    (row,) = json.loads((tmp_path / "videoquant-report" / "results.json").read_text())["rows"]
    assert row["shares"]["0"] > 0
    import videoquant as vq

    network = vq.load(small)
    shares = {name: {int(w): s for w, s in found.items()} for name, found in row["layer_shares"].items()}
    chip, parsed, work = open_chip("tiny.toml"), vq.Scheme.parse(scheme), workload(network)
    assert row["on_chip"]["ms"] == pytest.approx(scheme_cost(chip, work, parsed, shares).ms)
    assert row["on_chip"]["ms"] < scheme_cost(chip, work, parsed).ms


def test_schemes_that_a_chip_cannot_run_have_a_dash(command, clip, small, tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    code, out, err = command(
        *("compare", small, "--video", clip, "--frames", 6, "--schemes", "fp32; w8a8", "--chip", "tiny.toml")
    )
    assert code == 0, err
    assert "tiny has nothing for w32a32" in err
    fp32 = next(line for line in out.splitlines() if " fp32 " in line)
    assert fp32.split()[-3:] == ["–"] * 3
    rows = json.loads((tmp_path / "videoquant-report" / "results.json").read_text())["rows"]
    assert rows[0]["on_chip"]["ms"] is None and rows[1]["on_chip"]["mj"] is None


def test_inspect_on_a_chip(command, small, tmp_path):
    code, out, err = command("inspect", small, "--chip", "nvidia-t4", "--scheme", "w8a8->w4a8 T=2")
    assert code == 0, err
    assert "NVIDIA T4" in out and "fps" in out and "bound by" in out and "of a residual frame" in out
    assert "computes w4a8 as w8a8" in err
    assert (tmp_path / "roofline.svg").read_text().startswith("<?xml")
    code, out, _ = command("inspect", small, "--chip", "nvidia-t4", "--plot", "r.png")
    assert code == 0 and (tmp_path / "r.png").stat().st_size > 0
    code, _, err = command("inspect", small, "--chip", "nvidia-t4", "--plot", "r.gif")
    assert code == 2 and "suffix" in err
    (tmp_path / "tiny.toml").write_text(TINY)
    code, out, _ = command("inspect", small, "--chip", "tiny.toml", "--scheme", "fp32", "--plot", "none.svg")
    assert code == 0 and "tiny: it cannot run fp32" in out and not (tmp_path / "none.svg").exists()


def test_bad_chips_end_in_one_line(command, clip, small, tmp_path):
    (tmp_path / "bad.toml").write_text(TINY.replace("buffer_kb = 1\n", ""))
    code, _, err = command("inspect", small, "--chip", "bad.toml")
    assert code == 2 and err.strip() == "videoquant: error: bad.toml: buffer_kb is missing"
    code, _, err = command("compare", small, "--video", clip, "--chip", "cortex")
    assert code == 2 and "did you mean cortex-a76?" in err


def test_fit_from_measured_times(command, small, tmp_path):
    import videoquant as vq

    network = vq.load(small)

    def bench(name, ms, fp32):
        rows = [
            {
                "clip": clip,
                "engine": engine,
                "mode": "frame",
                "precision": precision,
                "ms": [value * scale],
            }
            for clip, scale in (("a", 1.0), ("b", 1.1), ("c", 0.9))
            for engine, precision, value in (("videoquant", "int8", ms), ("onnxruntime", "fp32", fp32))
        ]
        data = {
            "format": 1,
            "network": network.name,
            "scheme": "w8a8",
            "threads": 1,
            "macs": sum(network.macs.values()),
            "machine": {"cpu": "CPU", "flags": []},
            "rows": rows,
        }
        (tmp_path / name).write_text(json.dumps(data))

    bench("bench.json", 0.5, 2.0)
    code, out, err = command("chips", "fit", "bench.json", "--network", small, "-o", "cpu.toml")
    assert code == 0, err
    assert "left out" in out and "cpu.toml" in out
    chip = open_chip("cpu.toml")
    assert scheme_cost(chip, workload(network), vq.Scheme.parse("w8a8")).ms == pytest.approx(0.5, rel=0.05)
    assert scheme_cost(chip, workload(network), vq.Scheme.parse("fp32")).ms == pytest.approx(2.0, rel=0.05)
    code, _, err = command("chips", "fit", "bench.json", "bench.json", "--network", small, "-o", "cpu.toml")
    assert code == 2 and "give --network once per file" in err
