"""`videoquant bench` as a user runs it; what it says of times is looked at for form only."""

import json

import pytest

from tests.bench.standins import config
from videoquant.bench import engines, run
from videoquant.cli import bench_gating, bench_ranges

FIELDS = {
    *("clip", "engine", "mode", "precision", "ms_median", "ms_p95", "ms_spread", "ratio_to_openvino_int8"),
    *("percent_of_ceiling", "peak_memory_mb", "stream_memory_mb", "work_share", "agreement", "identical"),
    *("as_frame", "int8_share", "ms", "work", "line"),
}


def test_it_prints_a_table_and_writes_json_and_a_plot(small, command, clip, tmp_path):
    pytest.importorskip("onnxruntime")
    code, out, err = command(
        *("bench", small, "--video", clip, "--engines", "onnxruntime", "--threads", "1", "--frames", "4"),
        *("--output", "results"),
    )
    assert code == 0 and all(line.startswith("disc.mp4: ") for line in err.splitlines())  # what goes on
    assert "bright, disc.mp4: 4 frames, 1 threads" in out and "results: results/bench.json" in out
    data = json.loads((tmp_path / "results" / "bench.json").read_text())
    assert (
        data["network"] == "bright" and data["threads"] == 1 and data["frames"] == {"disc.mp4": [3, 4, 5, 6]}
    )
    assert data["calibration"] == {"disc.mp4": "16 frames of the clip, none of them timed"}
    assert [(row["engine"], row["precision"]) for row in data["rows"]] == [
        ("onnxruntime", "fp32"),
        ("onnxruntime", "int8"),
    ]
    for row in data["rows"]:
        assert row.keys() == FIELDS
        assert row["ratio_to_openvino_int8"] is None and len(row["ms"]) == 4
        assert row["agreement"]["mask_iou"] > 0.9 and row["peak_memory_mb"] is not None
    assert (tmp_path / "results" / "bench-disc.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def quick(monkeypatch):
    """Stand-ins in place of engines, and no other processes."""

    def build(engines, assignment):
        modes = {"frame": (1.0,), "exact": (0.6, 0.7, 0.8), "regions": (0.1, 0.2, 0.3)}
        return [config("videoquant", mode, work=work) for mode, work in modes.items()]

    monkeypatch.setattr(run, "build", build)
    monkeypatch.setattr(run, "peak_memory_mb", lambda *_: 12.0)
    monkeypatch.setattr("videoquant.bench.interleaved.task_for", lambda network: None)


def test_modes_that_skip_show_their_work_and_a_line(small, command, clip, tmp_path, quick):
    code, out, _ = command("bench", small, "--video", clip)
    assert code == 0
    rows = json.loads((tmp_path / "videoquant-bench" / "bench.json").read_text())["rows"]
    assert [row["identical"] for row in rows] == [None, True, True]
    assert rows[2]["line"].keys() == {"fixed_ms", "ms_per_work", "fixed_share", "scatter"}
    exact, regions = (
        next(line for line in out.splitlines() if f"int8 {mode}" in line) for mode in ("exact", "regions")
    )
    assert "70%" in exact and "yes" in exact and "20%" in regions and "yes" not in regions


def test_several_clips_give_a_set_of_rows_each(small, command, clip, tmp_path, quick):
    other = tmp_path / "other.mp4"
    other.write_bytes(clip.read_bytes())
    code, out, _ = command("bench", small, "--video", clip, "--video", other, "--frames", "2")
    assert code == 0 and "bright, disc.mp4" in out and "bright, other.mp4" in out
    folder = tmp_path / "videoquant-bench"
    rows = json.loads((folder / "bench.json").read_text())["rows"]
    assert [row["clip"] for row in rows] == ["disc.mp4"] * 3 + ["other.mp4"] * 3
    plots = {f"bench-{name}.png{numbers}" for name in ("disc", "other") for numbers in ("", ".csv")}
    assert {path.name for path in folder.iterdir()} == {"bench.json", *plots}
    numbers = (folder / "bench-disc.png.csv").read_text().splitlines()
    assert numbers[0] == "engine,frame,ms,work_share" and len(numbers) == 1 + sum(
        len(r["ms"]) for r in rows[:3]
    )


def test_modes_left_out_are_not_measured(small, command, clip, tmp_path):
    code, out, _ = command(
        *("bench", small, "--video", clip, "--frames", "2"),
        *("--engines", "videoquant", "--modes", "exact, frame"),
    )
    assert code == 0 and "regions" not in out
    rows = json.loads((tmp_path / "videoquant-bench" / "bench.json").read_text())["rows"]
    assert [row["mode"] for row in rows] == ["frame", "exact"]


BAD = {
    "no threads": (["--threads", "0"], "--threads"),
    "unknown engine": (["--engines", "tvm"], "tvm: no such engine"),
    "missing clip": (["--video", "no.mp4"], "no.mp4: no such file or folder"),
    "same name": (["--video", "again/disc.mp4"], "two clips are named disc.mp4"),
    "two sources": (["--dataset", "camvid:x"], "give one of"),
    "output": (["--output", "again/disc.mp4"], "is a file; a folder is needed here"),
    "scheme": (["--scheme", "w8a9"], "9"),
    "unknown mode": (
        ["--modes", "frame,fast"],
        "fast: no such mode; there are frame, exact, regions",
    ),
    "mode of other schemes": (
        ["--modes", "exact", "--scheme", "w8a8 ds=1%"],
        "runs in mode frame and",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_before_the_work(case, small, command, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "build", None)
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "disc.mp4").write_bytes(clip.read_bytes())
    arguments, text = BAD[case]
    code, out, err = command("bench", small, "--video", clip, *arguments)
    assert code == 2 and out == "" and text in err
    assert {path.name for path in tmp_path.iterdir()} == {"again"}


def test_an_engine_that_is_not_installed_is_one_line(small, command, clip, monkeypatch):
    monkeypatch.setattr(engines, "missing", list)
    code, out, err = command("bench", small, "--video", clip, "--engines", "openvino")
    assert code == 2 and out == ""
    assert err == (
        "videoquant: error: openvino cannot be measured: openvino and nncf are not installed; "
        "pip install 'videoquant[bench]'\n"
    )


def test_gating_prints_a_table_a_clip_and_writes_json_and_one_plot(small, command, clip, tmp_path):
    other = tmp_path / "other.mp4"
    other.write_bytes(clip.read_bytes())
    code, out, err = command(
        *("bench", "gating", small, "--video", clip, "--video", other, "--frames", "6", "--threads", "1"),
        *("--output", "results"),
    )
    assert code == 0
    too_small = "no box gate: its input, 32×32, is too small to be cropped"
    assert err.splitlines() == [
        line for name in ("disc.mp4", "other.mp4") for line in (f"{name}: quantizing", f"{name}: {too_small}")
    ]
    assert "bright, disc.mp4, 1 threads" in out and "bright, other.mp4, 1 threads" in out
    assert "frame gate 0.05, default" in out and "regions 16, default" in out
    assert {path.name for path in (tmp_path / "results").iterdir()} == {
        *("gating.json", "gating.png", "gating.png.csv")
    }
    assert (tmp_path / "results" / "gating.png").read_bytes().startswith(b"\x89PNG")
    data = json.loads((tmp_path / "results" / "gating.json").read_text())
    assert (data["network"], data["scheme"], data["threads"], data["frames"]) == ("bright", "w8a8", 1, 6)
    rows = [row for row in data["rows"] if row["clip"] == "disc.mp4"]
    assert [row["method"] for row in rows] == ["every frame"] + ["frame gate"] * 3 + ["regions"] * 4
    assert rows[0]["as_frame"] == {"mask_iou": 1.0} and rows[0]["pixels_share"] == 1
    for row in rows:
        assert row["cpu_ms"] > 0 and 0 <= row["pixels_share"] <= row["frames_share"] <= 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    {
        ("--scheme", "w8a8 dynamic"): "scheme w8a8 dynamic: gating is measured on frame schemes of static",
        ("--scheme", "w8a8->w4a4 T=3"): "gating is measured on frame schemes of static ranges",
        ("--scheme", "w8a8 regions"): "gating is measured on frame schemes of static ranges",
        ("--frames", "3"): "--frames",
        ("--output", "again/disc.mp4"): "is a file; a folder is needed here",
    }.items(),
)
def test_gating_refuses_before_the_work(arguments, text, small, command, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(bench_gating, "ways_of", None)
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "disc.mp4").write_bytes(clip.read_bytes())
    code, out, err = command("bench", "gating", small, "--video", clip, *arguments)
    assert code == 2 and out == "" and text in err


def test_ranges_print_a_table_and_write_json(command, tmp_path, monkeypatch):
    monkeypatch.setattr(bench_ranges, "SIZES", (56,))
    code, out, err = command("bench", "ranges", "--repeats", "2", "--output", "results")
    assert code == 0 and err == ""
    data = json.loads((tmp_path / "results" / "ranges.json").read_text())
    jobs = [row["job"] for row in data["rows"]]
    assert {"min/max", "quantile", "QPP", "quantize", "int8 convolution", "D+S 1%", "D+S 3%"} <= set(jobs)
    assert data["threads"] == 1 and data["rows"][0].keys() >= {
        "size",
        "ms_median",
        "percent",
        "paper_percent",
    }
    assert all(job in out for job in jobs) and "56×56×64" in out


def test_help_names_both_commands(command):
    code, out, _ = command("bench", "--help")
    assert code == 0 and "ranges" in out and "network" in out


def test_ctrl_c_is_one_line(small, command, clip, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_interleaved", interrupted)
    monkeypatch.setattr(run, "build", lambda engines, assignment: [])
    code, out, err = command("bench", small, "--video", clip, "--engines", "videoquant")
    assert code == 130 and out == "" and err.splitlines()[-1] == "videoquant: stopped"


def test_a_frame_by_operator_and_how_it_scales(small, command, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "peak_memory_mb", lambda *_: 12.0)
    monkeypatch.setattr(run, "PROFILED_FRAMES", 2)
    monkeypatch.setattr(run, "SCALED_FRAMES", 2)
    monkeypatch.setattr("videoquant.cli.bench.console.width", 80)
    code, out, err = command(
        *("bench", small, "--video", clip, "--engines", "videoquant", "--modes", "frame", "--threads", "1"),
        *("--frames", "4", "--profile", "--scaling"),
    )
    assert code == 0 and "disc.mp4: timing operators" in err
    assert (
        "a frame by operator, 1 threads" in out
        and "A whole frame takes" in out
        and "streams and threads" in out
    )
    assert max(map(len, out.splitlines())) <= 80 and "…" not in out
    data = json.loads((tmp_path / "videoquant-bench" / "bench.json").read_text())
    drawn = tmp_path / "videoquant-bench" / "bench-profile-disc.png"
    assert drawn.read_bytes().startswith(b"\x89PNG")
    found = data["profiles"]["disc.mp4"]
    lines = (drawn.parent / "bench-profile-disc.png.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [one["name"] for one in found["operators"]]
    assert found["ms"] > 0 and sum(one["share"] for one in found["operators"]) == pytest.approx(1)
    assert found["operators"][0].keys() >= {
        "name",
        "kind",
        "ms",
        "macs",
        "bytes",
        "arithmetic_ms",
        "memory_ms",
    }
    assert [one["streams"] for one in data["scaling"]["disc.mp4"]][-3:] == [2, 4, 8]


def test_a_profile_is_of_its_own_engine(small, command, clip):
    pytest.importorskip("onnxruntime")
    for option in ("--profile", "--scaling"):
        code, _, err = command("bench", small, "--video", clip, "--engines", "onnxruntime", option)
        assert code == 2 and err.strip().endswith(
            "--profile and --scaling time videoquant's own engine, which --engines leaves out"
        )


def test_random_weights_are_for_networks_by_name(small, command, clip, tmp_path, quick):
    code, out, err = command(
        *("bench", "espcn_x2", "--video", clip, "--random-weights", "--size", "96x128", "--frames", "2")
    )
    assert code == 0 and "espcn_x2: random weights" in err and "espcn_x2, disc.mp4" in out
    code, _, err = command("bench", small, "--video", clip, "--random-weights")
    assert code == 2 and f"{small}: --random-weights is for networks by name" in err
    code, _, err = command(
        *("bench", "espcn_x2", "--checkpoint", "x.pth", "--video", clip, "--random-weights")
    )
    assert code == 2 and "without --checkpoint" in err
