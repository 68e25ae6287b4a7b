"""Quantized ONNX files as quantized networks: what others and what we wrote."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import videoquant as vq
from tests.networks import moving_frames, small_network
from tests.onnx_files import ON_CODES, QDQ, SIGNED, UNSIGNED, quantized_by_others, run_in_onnxruntime
from videoquant.engine import lower
from videoquant.network.onnx_writer import write_onnx
from videoquant.quantized_onnx import is_quantized_onnx, without_quantizers
from videoquant.tasks.sqnr import Sqnr

FRAMES = moving_frames(24)


def closeness(quantized: vq.QuantizedNetwork, path: Path) -> float:
    """SQNR of a simulation against the file in ONNX Runtime, dB."""
    stream, sqnr = quantized.stream(), Sqnr()
    for frame in FRAMES[20:]:
        for name, value in run_in_onnxruntime(path, frame).items():
            sqnr.update(value, stream.run(frame)[name])
    return sqnr.result()


@pytest.mark.parametrize(
    ("activations", "weights", "per_channel", "form"),
    [
        (UNSIGNED, SIGNED, True, QDQ),
        (SIGNED, SIGNED, False, QDQ),
        (UNSIGNED, UNSIGNED, False, QDQ),
        (UNSIGNED, SIGNED, True, ON_CODES),
        (UNSIGNED, UNSIGNED, False, ON_CODES),
    ],
)
def test_a_file_of_onnx_runtime_s_quantizer(activations, weights, per_channel, form, tmp_path):
    path = tmp_path / "small.onnx"
    quantized_by_others(small_network(), FRAMES[:16], path, activations, weights, per_channel, form)
    assert is_quantized_onnx(path)
    quantized = vq.load_quantized(path)
    # Of a transposed convolution there is no form on codes.
    left = {"up"} if form is ON_CODES else set()
    assert quantized.points.keys() == {node.name for node in quantized.network.layers} - left
    assert closeness(quantized, path) > 40  # but for codes on the verge, and those behind them
    plan = lower(quantized)
    if left:  # sums in floating point have an order
        return
    stream, engine = quantized.stream(), plan.stream("frame")
    for frame in FRAMES[20:]:
        for name, value in stream.run(frame).items():
            assert torch.equal(engine.run(frame)[name], value)


def test_codes_and_scales_are_those_of_the_file(tmp_path):
    path = quantized_by_others(small_network(), FRAMES[:16], tmp_path / "small.onnx")
    quantized = vq.load_quantized(path)
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    for layer, weights in quantized.weights.items():
        codes = tensors[f"{layer}.weight_quantized"]
        np.testing.assert_array_equal(weights.key.codes.numpy(), codes)
        np.testing.assert_array_equal(weights.key.scale.numpy(), tensors[f"{layer}.weight_scale"])
    held = {(float(tensors[n]), int(tensors[n.replace("_scale", "_zero_point")])) for n in tensors
            if n.endswith("_scale") and tensors[n].ndim == 0}  # fmt: skip
    for grids in quantized.grids.values():
        assert (grids.key.fixed.scale, grids.key.fixed.zero_point) in held


def test_layers_that_the_file_leaves_alone_stay_in_floating_point(tmp_path):
    network = small_network()
    left = network.layers[1].name
    path = quantized_by_others(network, FRAMES[:16], tmp_path / "small.onnx", exclude=[left])
    quantized = vq.load_quantized(path)
    assert quantized.scheme.keep_float == (left,)
    assert left not in quantized.points
    assert closeness(quantized, path) > 40


@pytest.mark.parametrize("text", ["w8a8", "w4a4", "w8a8 asymmetric", "w8a8 per-tensor", "w8a32", "w32a8"])
@pytest.mark.parametrize("opset", [20, 21])
def test_what_we_exported_is_the_same_network_again(text, opset, tmp_path):
    made = vq.quantize(small_network(), text, FRAMES[:16])
    (path,) = vq.export(made, tmp_path / "small.onnx", opset=opset, form="qdq")
    again = vq.load_quantized(path)
    assert again.scheme == made.scheme
    assert [node.name for node in again.network.layers] == [node.name for node in made.network.layers]
    for layer, weights in made.weights.items():
        ours, theirs = weights.key, again.weights[layer].key
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert torch.equal(theirs.codes, ours.codes) and torch.equal(theirs.scale, ours.scale)
            assert theirs.zero_point == ours.zero_point
    grids, expected = ({str(at): g.key.fixed for at, g in one.grids.items()} for one in (again, made))
    assert grids == expected
    # Biases were rounded to whole numbers, of a scale that the file has; all else is the same.
    for layer in made.network.layers:
        ours, theirs = (one.network.tensors[f"{layer.name}.bias"] for one in (made, again))
        assert (ours - theirs).abs().max() < 0.02 * ours.abs().max()
        ours.copy_(theirs)
    for frame in FRAMES[20:]:
        for name, value in made.stream().run(frame).items():
            assert torch.equal(again.stream().run(frame)[name], value)


def test_what_we_exported_in_integers(tmp_path):
    made = vq.quantize(small_network(), "w8a8", FRAMES[:16])
    (path,) = vq.export(made, tmp_path / "small.onnx", form="integer")
    again = vq.load_quantized(path)
    assert again.scheme.keep_float == ("up",)  # which has whole numbers in floating point there
    assert len(again.points) == len(made.points) - 1
    for frame in FRAMES[20:]:
        for name, value in made.stream().run(frame).items():
            torch.testing.assert_close(again.stream().run(frame)[name], value, rtol=1e-4, atol=1e-4)


def test_saved_and_read_it_gives_the_same(tmp_path):
    path = quantized_by_others(small_network(), FRAMES[:16], tmp_path / "small.onnx", weights=UNSIGNED,
                               per_channel=False)  # fmt: skip
    quantized = vq.load_quantized(path)
    vq.save(quantized, tmp_path / "small.vq")
    again = vq.load_quantized(tmp_path / "small.vq")
    for name, value in quantized.stream().run(FRAMES[0]).items():
        assert torch.equal(again.stream().run(FRAMES[0])[name], value)


def test_without_quantizers_the_weights_stay(tmp_path):
    path = quantized_by_others(small_network(), FRAMES[:16], tmp_path / "small.onnx")
    read = vq.load(path)
    plain = without_quantizers(read)
    assert any(node.op == "fake_quantize" for node in read.nodes)
    assert not any(node.op == "fake_quantize" for node in plain.nodes)
    assert all(torch.equal(plain.tensors[name], tensor) for name, tensor in read.tensors.items())


def convolutions(
    path: Path,
    grids: Sequence[tuple[float, int]] = ((0.1, 3),),
    codes: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    activation: np.ndarray | None = None,
    axis: int = 0,
    block: int = 0,
    group: int = 1,
) -> Path:
    """A convolution for each grid, all of the input, each behind a quantizer of its own; their sum.

    codes, scale: of the weights. activation: zero points, of scales that all differ.
    """
    codes = (
        np.random.default_rng(0).integers(-127, 128, (4, 3, 3, 3)).astype(np.int8) if codes is None else codes
    )
    scale = np.array(0.02, np.float32) if scale is None else scale
    tensors, nodes = {}, []
    for i, (step, point) in enumerate(grids):
        zero = np.array(point, np.uint8) if activation is None else activation
        tensors |= {
            f"s{i}": (step * (1 + np.arange(zero.size))).reshape(zero.shape).astype(np.float32),
            f"z{i}": zero,
        }
        tensors |= {
            f"conv{i}.weight_quantized": codes,
            f"ws{i}": scale,
            f"wz{i}": np.zeros(scale.shape, np.int8),
        }
        grid, weight = [f"s{i}", f"z{i}"], [f"conv{i}.weight_quantized", f"ws{i}", f"wz{i}"]
        nodes += [
            helper.make_node("DequantizeLinear", weight, [f"w{i}"], axis=axis, block_size=block),
            helper.make_node("QuantizeLinear", ["x", *grid], [f"q{i}"]),
            helper.make_node("DequantizeLinear", [f"q{i}", *grid], [f"d{i}"]),
            helper.make_node("Conv", [f"d{i}", f"w{i}"], [f"y{i}"], group=group),
        ]
    nodes.append(helper.make_node("Sum", [f"y{i}" for i in range(len(grids))], ["y"]))
    graph = helper.make_graph(
        nodes,
        "by hand",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, len(codes), 6, 6))],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


def test_two_grids_of_one_value_are_two_quantizers(tmp_path):
    path = convolutions(tmp_path / "two.onnx", grids=[(0.1, 3), (0.02, 128), (0.1, 3)])
    quantized = vq.load_quantized(path)
    assert len(quantized.points) == 3
    assert sorted(grids.key.fixed.scale for grids in quantized.grids.values()) == pytest.approx([0.02, 0.1])
    x = torch.randn(1, 3, 8, 8)
    assert torch.allclose(quantized.stream().run(x)["y"], run_in_onnxruntime(path, x)["y"], atol=1e-4)


def test_a_code_of_minus_128_is_kept(tmp_path):
    codes = np.full((4, 3, 3, 3), -128, np.int8)
    path = convolutions(tmp_path / "low.onnx", codes=codes)
    quantized = vq.load_quantized(path)
    assert quantized.scheme.weights == "asymmetric"
    x = torch.randn(1, 3, 8, 8)
    found = quantized.stream().run(x)["y"]
    assert torch.allclose(found, run_in_onnxruntime(path, x)["y"], rtol=1e-5, atol=1e-3)
    assert torch.equal(lower(quantized).stream("frame").run(x)["y"], found)


def test_scales_by_channel_go_into_depthwise_weights(tmp_path):
    codes = np.random.default_rng(1).integers(-127, 128, (6, 1, 3, 3)).astype(np.int8)
    zero = np.full(3, 9, np.uint8)
    path = convolutions(tmp_path / "depthwise.onnx", codes=codes, activation=zero, group=3)
    quantized = vq.load_quantized(path)
    assert len(quantized.points) == 1
    x = 4 * torch.randn(1, 3, 8, 8)
    found = quantized.stream().run(x)["y"]
    assert torch.allclose(found, run_in_onnxruntime(path, x)["y"], atol=1e-4)
    assert torch.equal(lower(quantized).stream("frame").run(x)["y"], found)


def test_scales_by_channel_of_other_layers_leave_them_in_floating_point(tmp_path):
    path = convolutions(tmp_path / "full.onnx", activation=np.full(3, 9, np.uint8), grids=[(0.1, 3)] * 2)
    with pytest.raises(vq.NetworkError, match="it quantizes nothing"):
        vq.load_quantized(path)
    x = 4 * torch.randn(1, 3, 8, 8)
    assert torch.allclose(vq.load(path).run(x)["y"], run_in_onnxruntime(path, x)["y"], atol=1e-3)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ({"activation": np.array([0, 1, 0], np.uint8)}, "it has 3 zero points; one for all channels"),
            ({"activation": np.zeros(2, np.uint8)}, "it has 2 scales; one, or one for each channel"),
        ({"activation": np.zeros((), np.int16)}, "its codes are int16; those of 8 or 4 bits are read"),
        (
            {"scale": np.linspace(0.1, 0.4, 36, dtype=np.float32).reshape(4, 1, 3, 3), "axis": 1, "block": 3},
            "a scale for each block",
        ),
        ({"grids": [(0.0, 0)]}, "a scale is 0"),
    ],
)  # fmt: skip
def test_what_no_scheme_says_is_refused_in_one_line(file, words, tmp_path):
    path = convolutions(tmp_path / "odd.onnx", **file)
    with pytest.raises(vq.NetworkError) as error:
        vq.load_quantized(path)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_plain_file_and_half_a_pair_are_refused(tmp_path):
    write_onnx(small_network(), tmp_path / "plain.onnx")
    assert not is_quantized_onnx(tmp_path / "plain.onnx")
    with pytest.raises(vq.NetworkError, match="it quantizes nothing"):
        vq.load_quantized(tmp_path / "plain.onnx")
    made = vq.quantize(small_network(), "w8a8->w8a8 T=3", FRAMES[:16])
    key, _ = vq.export(made, tmp_path / "pair.onnx", form="qdq")
    with pytest.raises(vq.NetworkError, match="half of a residual scheme"):
        vq.load_quantized(key)
    made = vq.quantize(small_network(), "w8a8 minmax dynamic", FRAMES[:16])
    (dynamic,) = vq.export(made, tmp_path / "dynamic.onnx", form="qdq")
    with pytest.raises(vq.NetworkError, match="its scale is computed at run time"):
        vq.load_quantized(dynamic)


def test_weights_that_are_quantized_in_the_file_as_pytorch_exports_them(tmp_path):
    """Floating-point weights, QuantizeLinear, DequantizeLinear, and for a linear layer Transpose."""
    rng = np.random.default_rng(0)
    tensors = {
        "fc.weight": rng.normal(size=(5, 12)).astype(np.float32),
        "ws": rng.uniform(0.01, 0.03, 5).astype(np.float32),
        "wz": np.zeros(5, np.int8),
        "s": np.array(0.05, np.float32),
        "z": np.array(-7, np.int8),
        "flat": np.array([1, 12]),
    }
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["row"]),
        helper.make_node("QuantizeLinear", ["row", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("QuantizeLinear", ["fc.weight", "ws", "wz"], ["wq"], axis=0),
        helper.make_node("DequantizeLinear", ["wq", "ws", "wz"], ["wd"], axis=0),
        helper.make_node("Transpose", ["wd"], ["wt"]),
        helper.make_node("MatMul", ["d", "wt"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "exported",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 2, 2))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 5))],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    path = tmp_path / "linear.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    quantized = vq.load_quantized(path)
    codes = np.clip(np.rint(tensors["fc.weight"] / tensors["ws"][:, None]), -128, 127)
    np.testing.assert_array_equal(quantized.weights["fc"].key.steps.numpy(), codes)
    (grids,) = quantized.grids.values()
    assert (grids.key.fixed.zero_point, grids.key.fixed.low, grids.key.fixed.high) == (121, 0, 255)
    x = torch.randn(1, 3, 2, 2)
    assert torch.allclose(quantized.stream().run(x)["y"], run_in_onnxruntime(path, x)["y"], atol=1e-4)
