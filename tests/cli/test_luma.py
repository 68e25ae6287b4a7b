"""Networks of luma: the commands on what takes one channel."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from videoquant.data import frames


@pytest.fixture
def enlarger(tmp_path):
    """An ONNX file that gives every pixel four times: luma 1×1×170×170 to 1×1×340×340, its frames padded."""
    nodes = [
        helper.make_node("Conv", ["image", "weight"], ["cells"]),
        helper.make_node("DepthToSpace", ["cells"], ["upscaled"], blocksize=2, mode="CRD"),
    ]
    weight = onnx.numpy_helper.from_array(np.ones((4, 1, 1, 1), np.float32), "weight")
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, side, side])
        for name, side in (("image", 170), ("upscaled", 340))
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "twice", values[:1], values[1:], [weight]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    helper.set_model_props(model, {"task": "super-resolution"})
    path = tmp_path / "twice.onnx"
    onnx.save(model, path)
    return str(path)


def test_a_luma_network_needs_to_be_named_as_one(enlarger, clip, command):
    code, _, err = command("compare", enlarger, "--video", clip, "--mean", "0", "--std", "1")
    assert code == 2
    assert err.endswith("videoquant: error: twice: takes 1 channels, not RGB; --color Y gives it luma\n")


def test_compare_scores_luma_against_the_pictures(enlarger, shared_data, command, tmp_path):
    low = tmp_path / "Set5"
    low.mkdir()
    for name in ("bird", "butterfly", "woman"):  # 288×288, 256×256, 344×228: all below 340×340, but the last
        file = shared_data / "super-resolution/Set5" / f"{name}.png"
        (low / file.name).symlink_to(file)
    options = ("--color", "Y", "--fit", "pad", "--schemes", "fp32; w8a8", "--json", "r.json")
    code, _, err = command("compare", enlarger, "--dataset", f"set5:{low}#x2", *options)
    assert code == 2 and "a frame of 172×114 is larger than the input, 170×170; the fit pad" in err
    (low / "woman.png").unlink()
    code, _, err = command("compare", enlarger, "--dataset", f"set5:{low}#x2", *options)
    assert code == 0, err
    results = json.loads((tmp_path / "r.json").read_text())
    assert results["labelled_frames"] == results["frames"] >= 1
    assert "psnr_y" in str(results["rows"][0])
    code, _, err = command("compare", enlarger, "--dataset", f"set5:{low}#x3", *options)
    assert code == 2
    assert err.endswith("the network enlarges ×2, set5#x3 is for ×3; open its split x2\n")


def test_run_writes_the_upscaled_video(enlarger, clip, command, tmp_path):
    options = ("--color", "Y", "--fit", "pad")
    code, _, err = command(
        "quantize", enlarger, "--video", clip, "--scheme", "w8a8", "-o", "q.safetensors", *options
    )
    assert code == 0, err
    code, out, _ = command("inspect", "q.safetensors")
    assert code == 0 and "Y × 0.00392157, mean 0, std 1, pad; task super-resolution" in out
    code, _, err = command("run", "q.safetensors", "--video", clip, "-o", "out.mp4", "--frames", 3)
    assert code == 0, err
    source, enlarged = (next(iter(frames(path))).pixels for path in (clip, tmp_path / "out.mp4"))
    assert enlarged.shape == (192, 256, 3)
    repeated = source.repeat(2, 0).repeat(2, 1)
    assert np.abs(enlarged.astype(int) - repeated).mean() < 12
