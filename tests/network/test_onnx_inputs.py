"""What a network takes, as its ONNX file says it: sizes, channels last, bytes, preprocessing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from tests.network.onnx_files import Case, check, floats, model, onnx_runtime, save, scalar
from videoquant.errors import NetworkError
from videoquant.network.onnx_reader import read_onnx


def test_preprocessing_comes_from_the_metadata(tmp_path: Path) -> None:
    proto = Case("Relu", shape=(1, 3, 4, 4)).model()
    helper.set_model_props(proto, {"mean": "0.5,0.5,0.5", "scale": "1/255", "color": "bgr", "task": "pose"})
    preprocessing = read_onnx(save(proto, tmp_path)).preprocessing
    assert (preprocessing.mean, preprocessing.color, preprocessing.task) == ((0.5, 0.5, 0.5), "BGR", "pose")


def test_what_is_given_replaces_metadata_that_cannot_be_read(tmp_path: Path) -> None:
    proto = Case("Relu", shape=(1, 3, 4, 4)).model()
    helper.set_model_props(proto, {"mean": "see the paper", "std": "x", "task": "detect", "color": "bgr"})
    path = save(proto, tmp_path)
    with pytest.raises(NetworkError, match="preprocessing: mean holds 'see', which is no number"):
        read_onnx(path)
    preprocessing = read_onnx(path, {"mean": "0.5", "std": "2", "task": "pose"}).preprocessing
    assert (preprocessing.mean, preprocessing.std, preprocessing.task) == ((0.5,) * 3, (2.0,) * 3, "pose")
    assert preprocessing.color == "BGR"
    with pytest.raises(NetworkError, match="task is 'detect'; known are"):
        read_onnx(path, {"mean": "0.5", "std": "2", "task": "detect"})


def test_channels_last_is_seen_by_what_the_network_does(tmp_path: Path) -> None:
    turned = helper.make_node("Transpose", ["image"], ["a"], perm=[0, 3, 1, 2])
    halved = helper.make_node("Mul", ["image", "half"], ["h"])
    conv = helper.make_node("Conv", ["image", "w"], ["y"])
    last = [turned, helper.make_node("Relu", ["a"], ["y"])]
    turning = [(last, (1, 3, 9, 3)), (last, (1, 12, 12, 3)), ([halved, *last], (1, 5, 5, 1))]
    for nodes, shape in turning:
        path = save(model(nodes, {"half": scalar(0.5)}, ["y"], shape), tmp_path)
        network, x = read_onnx(path), floats(*shape)
        assert network.input_shape == (1, shape[3], *shape[1:3])
        given, expected = x.transpose(0, 3, 1, 2), onnx_runtime(path, torch.from_numpy(x))["y"]
        np.testing.assert_array_equal(network.run(torch.from_numpy(given))["y"].numpy(), expected)
        # A permutation back to channels first and the one that the file expects are none.
        assert [node.op for node in network.nodes] == ["clamp"]
    check(model([conv], {"w": floats(2, 64, 3, 3)}, ["y"], (1, 64, 40, 3)), tmp_path)


@pytest.mark.parametrize(
    "case",
    [
        Case("DepthToSpace", [], {"blocksize": 3}, (1, 9, 9, 4)),
        Case("SpaceToDepth", [], {"blocksize": 3}, (1, 9, 9, 3)),
        Case("MaxPool", [], {"kernel_shape": [3, 3]}, (1, 9, 8, 3)),
        Case("GlobalAveragePool", shape=(1, 8, 9, 4)),
        Case("ConvTranspose", [floats(8, 2, 3, 3)], shape=(1, 8, 9, 4)),
        Case(
            "BatchNormalization",
            [floats(8), floats(8), floats(8), np.ones(8, np.float32)],
            shape=(1, 8, 9, 3),
        ),
    ],
    ids=lambda case: case.op,
)
def test_what_takes_channels_first_says_so(case: Case, tmp_path: Path) -> None:
    assert check(case.model(), tmp_path).input_shape == case.shape


def test_several_inputs_are_refused_but_initializers_are_no_inputs(tmp_path: Path) -> None:
    proto = Case("Add", [floats(4, 1, 1)]).model()
    proto.graph.input.append(helper.make_tensor_value_info("c0", TensorProto.FLOAT, (4, 1, 1)))
    check(proto, tmp_path)
    del proto.graph.initializer[:]
    with pytest.raises(NetworkError, match=r"it has 2 inputs that nothing feeds \('image', 'c0'\)"):
        read_onnx(save(proto, tmp_path))


def test_a_dynamic_size_is_asked_for_or_the_metadata_s(tmp_path: Path) -> None:
    proto = Case("Relu", shape=(1, 3, "h", "w")).model()
    path = save(proto, tmp_path)
    assert read_onnx(path, size=(4, 6)).input_shape == (1, 3, 4, 6)
    helper.set_model_props(proto, {"imgsz": "[32, 64]", "names": "{0: 'cat', 1: 'dog'}", "task": "detect"})
    network = read_onnx(save(proto, tmp_path))
    assert network.input_shape == (1, 3, 32, 64)
    assert network.metadata["names"] == "{0: 'cat', 1: 'dog'}"
    assert read_onnx(path, size=(8, 9)).size == (8, 9)
    fixed = save(Case("Relu", shape=(1, 3, 5, 5)).model(), tmp_path)
    assert read_onnx(fixed, size=(8, 9)).size == (8, 9)


def test_bytes_are_taken_as_pixels_are(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["image"], ["f"], to=TensorProto.FLOAT)]
    nodes += [
        helper.make_node("Transpose", ["f"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Neg", ["t"], ["y"]),
    ]
    proto = model(nodes, {}, ["y"], (1, 9, 9, 3))
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    network = read_onnx(save(proto, tmp_path))
    assert (network.preprocessing.scale, network.input_shape) == (1, (1, 3, 9, 9))
    pixels = np.arange(9 * 9 * 3, dtype=np.uint8).reshape(9, 9, 3)
    np.testing.assert_array_equal(network(pixels).numpy()[0], -pixels.transpose(2, 0, 1).astype(np.float32))
