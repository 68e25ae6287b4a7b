"""A detector in every command: boxes in tables, reports and films, and one line where they cannot be read."""

import json
from pathlib import Path

import numpy as np
import pytest

import videoquant as vq
from tests.detectors import bright_spots

SAID = {"task": "detection", "scale": "1/255", "fit": "letterbox"}


@pytest.fixture(scope="module")
def spots(tmp_path_factory):
    return bright_spots(tmp_path_factory.mktemp("networks") / "spots.onnx", **SAID)


def test_compare_measures_boxes_and_draws_them(command, spots, clip):
    code, out, err = command(
        "compare", spots, "--video", clip, "--schemes", "fp32; w8a8", "--frames", 8, "--json", "r.json"
    )
    assert code == 0, err
    rows = json.loads(Path("r.json").read_text())["rows"]
    assert [row["scheme"] for row in rows] == ["fp32", "w8a8"]
    assert rows[0]["agreement"] == {"box_f1": 1.0} and 0.8 < rows[1]["agreement"]["box_f1"] <= 1
    assert "box F1" in out
    assert "box F1" in Path("videoquant-report/report.html").read_text()


@pytest.mark.parametrize("target", ["spots.vq", "spots.plan"])
def test_run_draws_boxes(command, spots, clip, target):
    assert command("quantize", spots, "--scheme", "w8a8", "--video", clip, "-o", target)[0] == 0
    code, _, err = command("run", target, "--video", clip, "--frames", 4, "-o", "out.mp4", "--paint")
    assert code == 0, err
    seen, drawn = next(iter(vq.frames(clip))).pixels, next(iter(vq.frames("out.mp4"))).pixels
    assert np.abs(drawn.astype(int) - seen).max() > 100


def test_tracks_are_drawn_of_detectors_alone(command, spots, small, clip):
    for network, name in ((spots, "spots.plan"), (small, "small.plan")):
        assert command("quantize", network, "--scheme", "w8a8", "--video", clip, "-o", name)[0] == 0
    code, out, err = command("run", "spots.plan", "--video", clip, "--frames", 4, "-o", "out.mp4", "--track")
    assert code == 0 and "4 frames" in out + err, err
    code, _, err = command("run", "small.plan", "--video", clip, "-o", "no.mp4", "--track")
    assert code == 2 and "--track follows boxes; this network is for segmentation" in err
    assert not Path("no.mp4").exists()


def test_alpha_and_inspect_take_it(command, spots, clip):
    code, out, err = command("alpha", spots, "--video", clip, "--scheme", "w8a4")
    assert code == 0 and "box F1" in out, err
    code, _, err = command("inspect", spots, "--scheme", "w8a8")
    assert code == 0, err


def test_a_layout_of_no_family_is_named_and_families_are_offered(command, spots, clip):
    words = (
        "spots: its outputs (heat 1×1×16×16, scale 1×2×16×16, offset 1×2×16×16) do not fit the task "
        "detection of the family yolov8; --boxes names another family: yolov3, "
    )
    code, _, err = command("compare", spots, "--video", clip, "--boxes", "yolov8")
    assert code == 2 and err.count("\n") == 1 and f"--boxes yolov8: {words}" in err
    code, _, err = command("inspect", spots, "--boxes", "yolov99")
    assert code == 2 and err.count("\n") == 1 and "'yolov99' is no family; there are yolov3, " in err


def test_a_file_whose_own_words_fit_no_family_is_refused(command, tmp_path, clip):
    path = bright_spots(tmp_path / "wrong.onnx", **SAID, boxes="picodet")
    code, _, err = command("compare", path, "--video", clip)
    assert code == 2 and err.count("\n") == 1
    assert "do not fit the task detection of the family picodet; --boxes names another family: " in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--overlap", ""), "boxes: overlap has no value"),
        (("--score", "2"), "boxes: score is 2; a threshold lies between 0 and 1"),
        (("--names", "face,hand"), "names of 2 classes, but the outputs (heat 1×1×16×16, scale 1×2×16×16, "),
        (("--anchors", "anchors.txt"), "boxes: anchors holds 'ten', which is no number"),
        (("--anchors", "no.txt"), "boxes: anchors: there is no file 'no.txt', and it is no number"),
        (("--anchors", "empty.txt"), "boxes: anchors holds no number"),
        (("--anchors", "1,2"), "--anchors: spots has no boxes of the family centerface that stand against"),
        (("--size", "66x64"), "; an input of 66×64 may want sides that 32 divides; --boxes names another"),
    ],
)
def test_what_contradicts_the_outputs_is_one_line(command, spots, clip, tmp_path, options, words):
    (tmp_path / "anchors.txt").write_text("10, ten")
    (tmp_path / "empty.txt").write_text("")
    code, _, err = command("compare", spots, "--video", clip, *options)
    assert code == 2 and err.count("\n") == 1 and words in err


def test_a_file_that_says_nothing_is_prepared_as_its_family_is(tmp_path):
    path = bright_spots(tmp_path / "spots.onnx", character="face")
    network = vq.load(path, preprocessing={"task": "detection"})
    assert network.preprocessing.boxes.family == "centerface" and network.preprocessing.scale == 1
    assert network.preprocessing.fit == "letterbox" and network.preprocessing.boxes.names == ("face",)
    told = vq.load(bright_spots(tmp_path / "told.onnx", **SAID))
    assert told.preprocessing.scale == 1 / 255
