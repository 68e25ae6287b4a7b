"""The commands as a user runs them, on the shipped network and a small clip.

Long because one calibrated network, made once, serves all of them.
"""

import csv
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

import videoquant as vq
from videoquant.comparison import DEFAULT_SCHEMES
from videoquant.data.writer import VideoWriter
from videoquant.made import VERSION
from videoquant.tasks.sqnr import EXACT_DB

NETWORK = "selfie_segmentation"
SCHEMES = "fp32; w8a8; w4a4; w8a8->w4a4 T=3; w8a8->w8a8 T=3 adaptive; w4a4 ds=3%"


def test_compare_writes_table_json_csv_and_report(command, clip, tmp_path):
    code, out, _ = command(
        *("compare", NETWORK, "--video", clip, "--schemes", SCHEMES, "--frames", 12, "--json", "r.json")
    )
    assert code == 0
    data = json.loads((tmp_path / "r.json").read_text())
    assert data == json.loads((tmp_path / "videoquant-report" / "results.json").read_text())
    rows = {row["scheme"]: row for row in data["rows"]}
    assert list(rows) == [text.strip() for text in SCHEMES.split(";")]
    for scheme, row in rows.items():
        assert scheme in out
        assert len(row["per_frame"]) == 12
        assert set(row["agreement"]) == {"mask_iou"}
    macs = sum(vq.load(NETWORK).macs.values())
    assert rows["fp32"]["gbops_per_frame"] == pytest.approx(macs * 1024 / 1e9)
    assert rows["w8a8"]["gbops_per_frame"] == pytest.approx(macs * 64 / 1e9)
    assert rows["fp32"]["sqnr_db"] == EXACT_DB and rows["fp32"]["agreement"]["mask_iou"] == 1
    assert rows["w8a8"]["sqnr_db"] > rows["w4a4"]["sqnr_db"] + 5
    assert [frame["key"] for frame in rows["w8a8->w4a4 T=3"]["per_frame"]] == [True, False, False] * 4
    assert sum(rows["w8a8->w8a8 T=3 adaptive"]["shares"].values()) == pytest.approx(1)
    sparse = rows["w4a4 ds=3%"]["density"]
    assert sparse["requested"] == 0.03 and 0.005 < sparse["p10"] <= sparse["mean"] <= sparse["p90"] < 0.1
    with open(tmp_path / "videoquant-report" / "results.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [line["scheme"] for line in table] == list(rows)
    page = (tmp_path / "videoquant-report" / "report.html").read_text()
    assert "data-chart='fidelity'" in page and "id='film'" in page and 'src="http' not in page


def test_compare_with_another_calibration_clip_scores_every_frame(small, command, clip):
    code, _, _ = command(
        *("compare", small, "--video", clip, "--calibration", clip, "--schemes", "w8a8", "--json", "r.json")
    )
    assert code == 0
    with open("r.json") as file:
        data = json.load(file)
    assert data["frames"] == 36
    assert data["calibration"] == "16 frames of disc.mp4"


def test_compare_of_stills(small, command, tmp_path):
    folder = tmp_path / "stills"
    folder.mkdir()
    for i in range(6):
        Image.fromarray(np.full((40 + i, 50, 3), 40 * i, np.uint8)).save(folder / f"{i}.png")
    code, out, _ = command("compare", small, "--images", folder, "--schemes", "w8a8; w4a4")
    assert code == 0 and "w4a4" in out
    code, _, err = command("compare", small, "--images", folder, "--schemes", "w8a8->w4a4")
    assert code == 2 and "needs a video" in err


def test_inspect_lists_every_layer_with_its_bits(command):
    code, out, _ = command("inspect", NETWORK, "--scheme", "w8a8->w4a4 T=3")
    network = vq.load(NETWORK)
    assert code == 0
    for node in network.layers:
        assert node.name in out
    # All but head and tail have the residual's bits; the summary names the scheme.
    assert out.count("w8a8->w4a4") == len(network.layers) - 2 + 1
    assert "task segmentation" in out and f"{sum(network.macs.values()) / 1e9:.3f} G" in out


def test_quantize_then_run_gives_a_video(command, clip, tmp_path):
    code, out, _ = command("quantize", NETWORK, "--scheme", "w8a8->w4a4 T=3", "--video", clip, "-o", "net.vq")
    assert code == 0 and "net.vq: w8a8->w4a4 T=3" in out
    floating = sum(4 * tensor.numel() for tensor in vq.load(NETWORK).tensors.values())
    assert (tmp_path / "net.vq").stat().st_size < 0.8 * floating  # with the codes of two bit-widths in it
    code, out, _ = command("run", "net.vq", "--video", clip, "-o", "out.mp4", "--frames", 5)
    assert code == 0 and "5 frames" in out
    with av.open("out.mp4") as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(frames) == 5 and frames[0].shape == (96, 128, 3)
    code, out, _ = command("inspect", "net.vq")
    assert code == 0 and "w8a8->w4a4" in out


def test_inspect_shows_where_predictors_would_look(command):
    code, out, _ = command("inspect", NETWORK, "--scheme", "w8a4 qpp at=first-relu")
    assert code == 0 and "predictors     54 of 55 ranges, from" in out and "those before are static" in out
    code, out, _ = command("inspect", NETWORK, "--scheme", "w8a4 qpp at=input")
    assert code == 0 and "predictors     55 of 55 ranges, from image" in out
    code, out, _ = command("inspect", NETWORK, "--scheme", "w8a4 qpp")
    assert code == 0 and "at most 11 places" in out
    code, _, err = command("inspect", NETWORK, "--scheme", "w8a4 qpp at=nowhere")
    assert code == 2 and "has no such layer" in err


def test_inspect_shows_what_predictors_read(command, clip):
    scheme = "w8a8->w4a4 T=2 qpp=5 at=first-relu"
    code, _, err = command("quantize", NETWORK, "--scheme", scheme, "--video", clip, "-o", "qpp.vq")
    assert code == 0, err
    code, out, _ = command("inspect", "qpp.vq")
    assert code == 0 and "predictors" in out and "gives q0.9, q0.99, q0.999, mean, max" in out
    quantized = vq.load_quantized("qpp.vq")
    (position,) = quantized.watched
    predictors = [g.key.predictor for g in quantized.grids.values() if g.key.predictor]
    assert predictors and all(f"{position} {predictor.quality:.2f}" in out for predictor in predictors)


def test_flags_replace_what_the_file_says(command):
    code, out, _ = command(
        "inspect", NETWORK, "--mean", "1,2,3", "--std", "4,5,6", "--scale", "1", "--color", "bgr"
    )
    assert code == 0 and "BGR × 1, mean 1,2,3, std 4,5,6" in out


def odd_network(path, op="Det"):
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, 8, 8])
    graph = helper.make_graph([helper.make_node(op, ["image"], ["out"], name="strange")], "g", [image], [out])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


BAD = {
    "no clip": (["compare", NETWORK, "--video", "absent.mp4"], "absent.mp4"),
    "not a clip": (["compare", NETWORK, "--video", "text.mp4"], "text.mp4"),
    "empty clip": (["compare", NETWORK, "--video", "empty.mp4"], "empty.mp4"),
    "empty folder": (["compare", NETWORK, "--images", "folder"], "folder"),
    "image that is none": (["compare", NETWORK, "--images", "images"], "a.png"),
    "no source": (["compare", NETWORK], "give one of --video CLIP, --images DIR and --dataset NAME:PATH"),
    "two sources": (["compare", NETWORK, "--video", "CLIP", "--images", "images"], "give one of"),
    "no network": (["inspect", "absent.onnx"], "absent.onnx"),
    "corrupt network": (["inspect", "text.onnx"], "text.onnx"),
    "unsupported operator": (["inspect", "odd.onnx"], "Det"),
    "unknown word": (
        ["compare", NETWORK, "--video", "CLIP", "--schemes", "w8a8 dynmic"],
        "did you mean dynamic",
    ),
    "bits": (["quantize", NETWORK, "--scheme", "w9a8", "--video", "CLIP", "-o", "x.vq"], "weights at 9 bits"),
    "one bit": (["compare", NETWORK, "--video", "CLIP", "--schemes", "w1a8"], "weights at 1 bits"),
    "period": (["compare", NETWORK, "--video", "CLIP", "--schemes", "w8a8->w4a4 T=0"], "T=0"),
    "policy": (["compare", NETWORK, "--video", "CLIP", "--schemes", "w8a8 policy"], "chooses among several"),
    "qpp position": (
        ["compare", NETWORK, "--video", "CLIP", "--schemes", "w8a4 qpp at=nowhere"],
        "has no such layer",
    ),
    "qpp features": (["compare", NETWORK, "--video", "CLIP", "--schemes", "w8a4 qpp=50"], "1 to 49"),
    "density": (["compare", NETWORK, "--video", "CLIP", "--schemes", "w8a4 qpp ds=60%"], "at most 50%"),
    "no schemes": (["compare", NETWORK, "--video", "CLIP", "--schemes", ";"], "--schemes is empty"),
    "output folder": (["quantize", NETWORK, "--scheme", "w8a8", "--video", "CLIP", "-o", "folder"], "folder"),
    "output nowhere": (
        ["quantize", NETWORK, "--scheme", "w8a8", "--video", "CLIP", "-o", "no/x.vq"],
        "no/x.vq",
    ),
    "report on a file": (["compare", NETWORK, "--video", "CLIP", "--report", "text.mp4"], "text.mp4"),
    "json nowhere": (["compare", NETWORK, "--video", "CLIP", "--json", "no/r.json"], "no/r.json"),
    "not quantized": (["run", "text.mp4", "--video", "CLIP", "-o", "o.mp4"], "text.mp4"),
    "video suffix": (["run", "net.vq", "--video", "CLIP", "-o", "o.xyz"], "o.xyz"),
    "mean": (["inspect", NETWORK, "--mean", "a,b,c"], "mean"),
    "task": (["inspect", NETWORK, "--task", "poetry"], "poetry"),
    "camera": (["compare", NETWORK, "--video", "93"], "93"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_in_one_line_and_leaves_nothing(case, command, clip, tmp_path):
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.onnx").write_text("not a network")
    (tmp_path / "folder").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_text("not an image")
    odd_network(tmp_path / "odd.onnx")
    if case == "video suffix":
        vq.save(vq.quantize(vq.load(NETWORK), "w8a8 dynamic", []), tmp_path / "net.vq")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    arguments, text = BAD[case]
    code, out, err = command(*(str(clip) if a == "CLIP" else a for a in arguments))
    assert code == 2
    assert out == ""
    assert text in err and err.startswith("videoquant: error: ") and err.count("\n") == 1
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_usage_error_is_exit_code_2(command):
    code, _, err = command("compare")
    assert code == 2 and "NETWORK" in err


@pytest.mark.filterwarnings("default::videoquant.data.clip.ClipWarning")
def test_a_truncated_clip_counts_what_was_decoded(small, command, clip, tmp_path):
    whole = tmp_path / "whole.mkv"
    with av.open(str(clip)) as source, av.open(str(whole), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    data = whole.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    code, _, err = command("compare", small, "--video", "cut.mkv", "--schemes", "w8a8", "--json", "r.json")
    assert code == 0
    assert "videoquant: warning: cut.mkv" in err and "frames" in err
    assert 0 < json.loads((tmp_path / "r.json").read_text())["frames"] < 36


@pytest.mark.parametrize(
    ("more", "stopped", "schemes", "frames"),
    [
        ((), "1 of 2 schemes are done, which the results hold; the same command goes on", ["w8a8"], 24),
        (("--engine", "frame"), "stopped after 4 frames", ["w8a8", "w4a4"], 4),
    ],
)
def test_ctrl_c_leaves_what_is_finished(small, clip, tmp_path, more, stopped, schemes, frames):
    # In a process of its own, since the signal is real: sent on the fourth frame of the second scheme.
    script = (
        "import os, signal\n"
        "from videoquant.comparison.collector import Collector\n"
        "step = Collector.step\n"
        "def interrupted(self, *a):\n"
        "    output = step(self, *a)\n"
        "    if str(self.quantized.scheme) == 'w4a4' and len(self.seen.per_frame) == 4:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    return output\n"
        "Collector.step = interrupted\n"
        "from videoquant.cli import main; main()\n"
    )
    arguments = ["compare", small, "--video", str(clip), "--schemes", "w8a8; w4a4", "--json", "r.json"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments, *more],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 128 + signal.SIGINT, done.stderr
    assert "Traceback" not in done.stderr and stopped in done.stderr
    data = json.loads((tmp_path / "r.json").read_text())
    assert data["complete"] is False and data["frames"] == frames
    assert [(row["scheme"], len(row["per_frame"])) for row in data["rows"]] == [(s, frames) for s in schemes]
    assert (tmp_path / "videoquant-report" / "report.html").exists()


def test_an_empty_scene_recommends_nothing(small, command, tmp_path):
    random = np.random.default_rng(0)
    with VideoWriter(tmp_path / "empty.mp4", 25) as writer:  # the network finds nothing in it
        for _ in range(20):
            writer.write(random.integers(60, 120, (96, 128, 3)).astype(np.uint8))
    code, out, err = command("compare", small, "--video", "empty.mp4", "--schemes", "fp32; w8a8; w6a6")
    assert code == 0 and "mask IoU: these frames show nothing to measure" in err
    assert next(line for line in out.splitlines() if "w6a6" in line).split()[-1] == "–"
    rows = json.loads((tmp_path / "videoquant-report/results.json").read_text())["rows"]
    assert all(row["agreement"] == {} for row in rows)
    page = (tmp_path / "videoquant-report/report.html").read_text(encoding="utf-8")
    assert "These frames cannot tell: they show nothing that mask IoU measures." in page


def test_the_version_is_said_and_stands_in_results(small, command, clip, monkeypatch):
    code, out, _ = command("--version")
    assert code == 0 and out == f"videoquant {VERSION}\n"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    arguments = ("compare", small, "--video", clip, "--schemes", "w8a8", "--frames", 2, "--report", "a [b]")
    assert command(*arguments)[0] == 0
    made = json.loads(Path("a [b]/results.json").read_text())["made"]
    assert made == {
        "version": VERSION,
        "date": "2026-01-01T00:00:00Z",
        "command": shlex.join(["videoquant", *map(str, arguments)]),
    }
    page = Path("a [b]/report.html").read_text()
    assert f"2026-01-01T00:00:00Z, by videoquant {VERSION}" in page and "&#x27;a [b]&#x27;" in page


def test_a_report_is_replaced_with_a_word_and_other_files_never(small, command, clip):
    arguments = ("compare", small, "--video", clip, "--schemes", "w8a8", "--frames", 2, "--report", "r")
    assert "replaced" not in command(*arguments)[2]
    code, _, err = command(*arguments)
    assert code == 0 and "r: holds a report of bright on disc.mp4, 1 schemes, which is replaced" in err
    Path("r/results.json").write_text('{"rows": 3}')
    code, _, err = command(*arguments)
    assert code == 2 and "results.json: is not of a report of videoquant" in err
    assert Path("r/results.json").read_text() == '{"rows": 3}'


def test_a_short_clip_calibrates_all_default_schemes(small, command, clip, tmp_path):
    with VideoWriter(tmp_path / "short.mp4", 25) as writer:
        for frame in vq.frames(clip).runs([range(20)]):
            writer.write(frame)
    code, _, err = command("compare", small, "--video", "short.mp4", "--json", "r.json")
    assert code == 0, err
    schemes = [row["scheme"] for row in json.loads(Path("r.json").read_text())["rows"]]
    assert schemes == list(DEFAULT_SCHEMES) and "left out" not in err


def test_a_task_that_does_not_fit_is_said(small, command, clip, tmp_path):
    code, _, err = command("inspect", small, "--task", "pose")
    assert code == 2 and "--task pose: bright: its outputs (mask 1×1×32×32) do not fit the task pose" in err
    model = onnx.load(small)
    onnx.helper.set_model_props(model, {"task": "pose", "scale": "1/255"})
    onnx.save(model, tmp_path / "says pose.onnx")
    arguments = ("--video", clip, "--schemes", "w8a8", "--frames", 2)
    code, _, err = command("compare", "says pose.onnx", *arguments)
    assert code == 0 and "do not fit the task pose that its file names" in err


def test_names_of_bytes_that_are_no_utf8(small, command, clip, tmp_path):
    odd = os.fsdecode(b"odd \xff [b]\n=1")
    shutil.copy(small, tmp_path / f"{odd}.onnx")
    shutil.copy(clip, tmp_path / f"{odd}.mp4")
    code, out, err = command(
        "quantize", f"{odd}.onnx", "--scheme", "w8a8", "--video", f"{odd}.mp4", "-o", f"{odd}.vq"
    )
    assert code == 0, err
    shown = r"odd \xff [b]\n=1"
    assert out.startswith(f"{shown}.vq: w8a8")
    code, out, err = command(
        *("compare", f"{odd}.onnx", "--video", f"{odd}.mp4", "--schemes", "w8a8"),
        *("--report", odd, "--frames", 2),
    )
    assert code == 0 and f"report: {shown}/report.html" in out, err
    data = json.loads((tmp_path / odd / "results.json").read_text())
    assert (data["network"], data["source"]) == (shown, f"{shown}.mp4")
    code, _, err = command(
        "alpha", f"{odd}.onnx", "--video", f"{odd}.mp4", "--scheme", "w8a4", "--plot", f"{odd}.svg"
    )
    assert code == 0 and (tmp_path / f"{odd}.svg").exists(), err
    code, _, err = command("run", f"{odd}.vq", "--video", f"{odd}.mp4", "-o", "out.mp4")
    assert code == 2 and err.startswith(f"videoquant: error: {shown}.vq: is no UTF-8")
    Path(f"{odd}.vq").rename("net.vq")
    code, out, err = command("run", "net.vq", "--video", f"{odd}.mp4", "-o", f"{odd} out.mp4", "--frames", 2)
    assert code == 0 and f"{shown} out.mp4: 2 frames" in out, err


READERS = {
    "network": ["inspect", "P"],
    "onnx": ["inspect", "P.onnx"],
    "checkpoint": ["inspect", "espcn_x3", "--checkpoint", "P"],
    "video": ["compare", NETWORK, "--video", "P"],
    "images": ["compare", NETWORK, "--images", "P"],
    "data set": ["compare", NETWORK, "--dataset", "camvid:P"],
    "chip": ["inspect", NETWORK, "--chip", "P"],
    "bench": ["chips", "fit", "P", "--network", NETWORK, "-o", "c.toml"],
    "quantized": ["run", "P", "--video", "CLIP", "-o", "o.mp4"],
    "compared": ["compare", NETWORK, "--video", "CLIP", "--quantized", "P"],
    "calibration": ["compare", NETWORK, "--video", "CLIP", "--calibration", "P"],
}


@pytest.mark.parametrize("what", ["a pipe", "a name that is too long", "a null device"])
@pytest.mark.parametrize("case", READERS)
def test_no_reader_waits_or_fails_oddly(case, what, command, clip, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.onnx")
    path = {"a pipe": "pipe", "a name that is too long": "a" * 300, "a null device": "/dev/null"}[what]
    arguments = [str(clip) if a == "CLIP" else a.replace("P", path) if a.startswith(("P", "camvid:")) else a
                 for a in READERS[case]]  # fmt: skip
    code, out, err = command(*arguments)
    assert code == 2 and out == ""
    assert err.startswith("videoquant: error: ") and err.count("\n") == 1
