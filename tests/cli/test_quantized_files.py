"""Commands on quantized ONNX files that others wrote."""

import json

import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from tests.onnx_files import quantized_by_others


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A network, and the same quantized by ONNX Runtime's quantizer."""
    int8 = tmp_path_factory.mktemp("files") / "int8.onnx"
    quantized_by_others(small_network(), moving_frames(16), int8)
    return int8.with_suffix(".float.onnx"), int8


def schemes(report):
    return [(row["scheme"], row["file"]) for row in json.loads((report / "results.json").read_text())["rows"]]


def test_it_stands_in_compare_beside_our_schemes(files, clip, command, tmp_path):
    floating, int8 = files
    words = ["--video", clip, "--frames", 4, "--report", tmp_path / "report"]
    code, _, err = command("compare", floating, *words, "--schemes", "fp32; w8a8", "--quantized", int8)
    assert code == 0, err
    assert schemes(tmp_path / "report") == [("fp32", ""), ("w8a8", ""), ("w8a8", str(int8))]


def test_alone_it_stands_beside_its_own_weights(files, clip, command, tmp_path):
    words = ["--video", clip, "--frames", 4, "--report", tmp_path / "report", "--engine", "exact"]
    code, _, err = command("compare", files[1], *words)
    assert code == 0, err
    assert "is taken without its quantizers" in err
    assert schemes(tmp_path / "report") == [("fp32", ""), ("w8a8", str(files[1]))]


def test_run_takes_it_with_what_the_file_does_not_say(files, clip, command):
    code, _, err = command("run", files[1], "--video", clip, "-o", "out.mp4", "--frames", 3)
    assert code == 2
    assert "give one, --task" in err
    words = ["--task", "segmentation", "--mean", "0.5,0.5,0.5"]
    code, out, err = command("run", files[1], "--video", clip, "-o", "out.mp4", "--frames", 3, *words)
    assert code == 0, err
    assert "3 frames, w8a8" in out


def test_what_quantize_stored_has_its_own_preprocessing(files, clip, command):
    made = vq.quantize(small_network(), "w8a8", moving_frames(16))
    vq.save(made, "made.vq")
    code, _, err = command("run", "made.vq", "--video", clip, "-o", "out.mp4", "--task", "segmentation")
    assert code == 2
    assert "its preprocessing and size are stored with it" in err


def test_inspect_shows_its_plan_and_its_layers(files, command):
    code, out, err = command("inspect", files[1])
    assert code == 0, err
    assert "static" in out
    assert command("inspect", files[1], "--plan")[0] == 0


def test_export_writes_it_again(files, command):
    code, _, err = command("export", files[1], "-o", "again.onnx")
    assert code == 0, err
    x = moving_frames(1)[0]
    for name, value in vq.load_quantized(files[1]).stream().run(x).items():
        assert torch.allclose(vq.load_quantized("again.onnx").stream().run(x)[name], value, atol=1e-2)
