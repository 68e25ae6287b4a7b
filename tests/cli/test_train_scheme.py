"""`videoquant train --scheme` as a user calls it: from labels, from a teacher, and with mistakes."""

import json

import pytest
from safetensors.torch import load_file

import videoquant as vq

SHORT = ("--epochs", 2, "--batch", 2)


def test_from_labels_to_a_network_that_every_command_loads(squares, eleven, command, tmp_path):
    code, out, err = command(
        "train", eleven, "--scheme", "w8a8->w4a4 T=3", "--dataset", f"camvid:{squares}", *SHORT, "-o", "t"
    )
    assert code == 0, err
    assert "6 clips of 3, 2 epochs of 3 steps" in out and "scored on camvid#val, 3 frames" in out
    history = json.loads((tmp_path / "t/history.json").read_text())
    assert [row["epoch"] for row in history] == [1, 2] and "miou" in history[-1]["validation"]
    learned = vq.load_quantized(tmp_path / "t/quantized.vq")
    assert str(learned.scheme) == "w8a8->w4a4 T=3"
    code, _, err = command(
        "run", "t/quantized.vq", "--dataset", f"camvid:{squares}", "-o", "out.mp4", "--engine", "frame"
    )
    assert code == 0, err
    assert command("inspect", "t/quantized.vq")[0] == 0


def test_a_network_by_name_trains_on_crops_and_is_saved_at_the_size_of_the_frames(squares, command, tmp_path):
    weights = tmp_path / "w.safetensors"
    vq.training.state.save_weights(weights, vq.models.create("ddrnet23_slim", None, num_classes=11), {})
    code, _, err = command(
        "train", "ddrnet23_slim", "--from", weights, "--scheme", "w4a4", "--dataset", f"camvid:{squares}",
        "--crop", "64x64", *SHORT, "--epochs", 1, "-o", "t",
    )  # fmt: skip
    assert code == 0, err
    assert vq.load_quantized(tmp_path / "t/quantized.vq").network.size == (64, 96)


def test_a_clip_without_labels_needs_a_teacher(clip, small, command, tmp_path):
    arguments = (
        "train",
        small,
        "--scheme",
        "w3a3->w2a2 T=3",
        "--dataset",
        clip,
        "--validation",
        clip,
        *SHORT,
    )
    code, _, err = command(*arguments, "-o", "t")
    assert code == 2 and "has no labels" in err and "--distill" in err
    code, out, err = command(*arguments, "--distill", "-o", "t")
    assert code == 0, err
    assert "12 clips of 3" in out and (tmp_path / "t/quantized.vq").exists()


def test_ctrl_c_and_resume_give_what_one_run_gives(squares, eleven, command, tmp_path, interrupted_after):
    arguments = ("train", eleven, "--scheme", "w4a4", "--dataset", f"camvid:{squares}", *SHORT)
    assert command(*arguments, "-o", "whole")[0] == 0
    with interrupted_after(2):
        code, _, err = command(*arguments, "-o", "parts")
    assert code == 130 and "stopped in step 2 of 6; --resume goes on" in err
    code, _, err = command(*arguments[:3], "w3a3", *arguments[4:], "-o", "parts", "--resume")
    assert code == 2 and "was begun with scheme w4a4, not w3a3" in err
    assert command(*arguments, "-o", "parts", "--resume")[0] == 0
    whole, parts = (load_file(tmp_path / folder / "quantized.vq") for folder in ("whole", "parts"))
    assert whole.keys() == parts.keys() and all((whole[key] == parts[key]).all() for key in whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--scheme", "fp32"), "fp32: nothing in it is quantized, so there is nothing to train"),
        (("--scheme", "w9a9"), "bit-widths are 2 to 8"),
        (("--scheme", "w4a4", "--crop", "16x16"), "takes inputs of 32×32 only"),
        (("--scheme", "w4a4", "--batch", "7"), "less than a batch of 7"),
        (("--scheme", "w4a4", "--from", "w.pth"), "checkpoint is for the networks of videoquant.models"),
        (("--distill",), "only a network at low bits has a teacher; give --scheme too"),
    ],
)
def test_a_mistake_is_one_line(options, message, squares, eleven, command, tmp_path):
    code, _, err = command("train", eleven, "--dataset", f"camvid:{squares}", *options, "-o", "t")
    assert code == 2 and err.count("\n") == 1 and message in err
    assert not list(tmp_path.glob("t/*"))


def test_a_quantized_file_is_no_place_to_start_from(squares, eleven, command, tmp_path):
    network = vq.load(eleven)
    frames = vq.data.open(f"camvid:{squares}#val").clip()
    vq.save(vq.quantize(network, "w8a8", frames), tmp_path / "q.vq")
    code, _, err = command(
        "train", "ddrnet23_slim", "--from", "q.vq", "--scheme", "w4a4", "--dataset", f"camvid:{squares}"
    )
    assert code == 2 and "is quantized already" in err


def test_compare_takes_trained_networks_beside_schemes(squares, eleven, command, tmp_path):
    network = vq.load(eleven)
    frames = vq.data.open(f"camvid:{squares}#val").clip()
    vq.save(vq.quantize(network, "w3a3", frames), tmp_path / "mine.vq")
    arguments = ("compare", eleven, "--dataset", f"camvid:{squares}", "--json", "r.json")
    code, out, err = command(*arguments, "--schemes", "fp32; w3a3", "--quantized", "mine.vq")
    assert code == 0, err
    assert "w3a3 (mine.vq)" in out
    rows = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert [(row["scheme"], row["file"]) for row in rows] == [("fp32", ""), ("w3a3", ""), ("w3a3", "mine.vq")]
    assert "w3a3 (mine.vq)" in (tmp_path / "videoquant-report/report.html").read_text()


def test_a_file_of_another_network_is_refused(squares, eleven, small, command, tmp_path):
    frames = vq.data.open(f"camvid:{squares}#val").clip()
    vq.save(vq.quantize(vq.load(small), "w3a3", frames), tmp_path / "other.vq")
    network = vq.load(eleven)
    code, _, err = command(
        "compare", "ddrnet23_slim", "--dataset", f"camvid:{squares}", "--quantized", "other.vq"
    )
    assert code == 2 and "other.vq: has not the layers of" in err, network
