"""ONNX files as networks: the six real ones, names, folding, shapes that are computed, types."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from tests.network.onnx_files import NORM, Case, check, floats, ints, model, onnx_runtime, save
from videoquant.network.onnx_reader import read_onnx

MODELS = [
    "face_landmark_192",
    "mobilenet_v2_224",
    "pose_landmark_full_256",
    "posenet_432x768",
    "selfie_segmentation_256",
    "waifu2x_photo_x2_144x176",
]


@pytest.fixture(scope="module")
def frame(shared_data: Path) -> np.ndarray:
    """A frame with a person in it. Without one, pose_landmark_full's mask is so ill-conditioned that float32

    itself is not good to 1e-4: on frame 60, ONNX Runtime is 2e-4 from the same graph in float64.
    """
    import av

    with av.open(str(shared_data / "clips" / "one-by-one-person-detection.mp4")) as clip:
        frames = clip.decode(video=0)
        return [next(frames) for _ in range(101)][-1].to_ndarray(format="rgb24")


@pytest.mark.parametrize("name", MODELS)
def test_real_networks_match_onnx_runtime(name: str, shared_data: Path, frame: np.ndarray) -> None:
    path = shared_data / "models" / f"{name}.onnx"
    network = read_onnx(path)
    x = network.prepare(frame)
    outputs = network.run(x)
    for output, expected in onnx_runtime(path, x.contiguous()).items():
        error = np.abs(outputs[output].numpy() - expected).max() / np.abs(expected).max()
        assert error < 1e-4, f"{output}: {error}"
    assert network.name == name
    assert network.preprocessing.task is not None
    assert not any(node.op == "batch_norm" for node in network.nodes)


def test_layers_are_named_by_their_weights_where_these_have_names(tmp_path: Path) -> None:
    w = floats(4, 4, 1, 1)
    nodes = [
        helper.make_node("Conv", ["image", "backbone.stem.weight"], ["a"], name="Conv_0"),
        helper.make_node("Conv", ["a", "onnx::Conv_12"], ["b"], name="/head/Conv"),
        helper.make_node("Conv", ["b", "backbone.stem.weight"], ["c"], name="Conv_2"),
        helper.make_node("Conv", ["c", "14"], ["d"]),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    constants = {"backbone.stem.weight": w, "onnx::Conv_12": w, "14": w}
    network = check(model(nodes, constants, ["y"]), tmp_path)
    assert [node.name for node in network.nodes] == [
        "backbone.stem",
        "/head/Conv",
        "backbone.stem_2",
        "conv_4",
        "relu_5",
    ]


def test_batch_norm_is_folded_and_unneeded_nodes_are_dropped(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["image", "c.weight"], ["a"]),
        helper.make_node("BatchNormalization", ["a", *"sbmv"], ["y"]),
        helper.make_node("Relu", ["a"], ["nobody_reads_this"]),
    ]
    constants = {"c.weight": floats(4, 4, 3, 3), **dict(zip("sbmv", NORM, strict=True))}
    network = check(model(nodes, constants, ["y"]), tmp_path)
    assert [(node.name, node.op, node.tensors) for node in network.nodes] == [
        ("c", "conv2d", ("weight", "bias"))
    ]
    assert network.outputs == {"y": "c"}
    assert set(network.tensors) == {"c.weight", "c.bias"}


def test_shapes_computed_in_the_graph_are_constants_and_the_batch_stays_open(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["image"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"], axis=0),
        helper.make_node("Unsqueeze", ["batch", "axis"], ["batches"]),
        helper.make_node("Constant", [], ["rest"], value=numpy_helper.from_array(ints(-1))),
        helper.make_node("Concat", ["batches", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["image", "target"], ["flat"]),
        helper.make_node("Shape", ["image"], ["part"], start=1, end=3),
        helper.make_node("Cast", ["half"], ["full"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["flat", "full"], ["y"], name="fc"),
    ]
    constants = {"zero": np.array(0), "axis": ints(0), "half": floats(168, 3).astype(np.float16)}
    network = check(model(nodes, constants, ["y"], ("batch", 4, 6, 7)), tmp_path)
    reshape, linear = network.nodes
    assert network.input_shape == (1, 4, 6, 7)
    assert (reshape.op, reshape.attributes) == ("reshape", {"shape": [0, 168]})
    assert (linear.name, linear.op) == ("fc", "linear")
    assert network.tensors["fc.weight"].dtype == torch.float32
    assert network(torch.ones(3, 4, 6, 7)).shape == (3, 3)


def test_weights_of_any_float_type_become_float32(tmp_path: Path) -> None:
    w = floats(5, 4, 1, 1)
    for dtype, proto_type in ((np.float16, TensorProto.FLOAT16), (np.float64, TensorProto.DOUBLE)):
        proto = Case("Conv", [w.astype(dtype)]).model()
        proto.graph.input[0].type.tensor_type.elem_type = proto_type
        network = read_onnx(save(proto, tmp_path))
        assert network.tensors["c0.weight"].dtype == torch.float32
        assert torch.equal(network.tensors["c0.weight"], torch.from_numpy(w.astype(dtype)).float())


def test_a_file_that_names_no_opset_is_read_as_the_first(tmp_path: Path) -> None:
    proto = Case("Conv", [floats(5, 4, 1, 1)], {"kernel_shape": [1, 1]}).model()
    proto.graph.input.append(helper.make_tensor_value_info("c0", TensorProto.FLOAT, (5, 4, 1, 1)))
    del proto.opset_import[:]
    proto.ir_version = 2
    assert [node.op for node in read_onnx(save(proto, tmp_path)).nodes] == ["conv2d"]


def test_what_no_output_depends_on_is_not_read(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["image"], ["y"], name="kept"),
        helper.make_node("Atan", ["image"], ["left over"], name="unsupported"),
        helper.make_node("Abs", ["left over"], ["too"], name="behind it"),
    ]
    network = check(model(nodes, {}, ["y"]), tmp_path)
    assert [node.op for node in network.nodes] == ["clamp"]
