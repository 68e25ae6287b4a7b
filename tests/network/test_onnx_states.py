"""What the inputs of a file are; its states go on as ONNX Runtime has them, fed back frame by frame."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from tests.networks import moving_frames
from tests.stateful import exported, onnx_runtime_over
from videoquant.errors import NetworkError
from videoquant.network.float_stream import FloatStream
from videoquant.network.onnx_reader import read_onnx
from videoquant.network.onnx_states import pairs

pytestmark = pytest.mark.filterwarnings("ignore:You are using the legacy")


def matting(shapes: dict[str, list[int | str]], feeds: str = "o") -> onnx.ModelProto:
    """As RobustVideoMatting: a ratio for the size inside, states of any size, spread to what is needed."""
    random = np.random.default_rng(0)
    weights = {
        "ones": np.ones(2, np.float32),
        "w1": random.standard_normal((4, 3, 3, 3)).astype(np.float32) / 5,
        "w2": random.standard_normal((4, 4, 3, 3)).astype(np.float32) / 6,
        "w3": random.standard_normal((1, 4, 1, 1)).astype(np.float32),
        "half": np.array(0.5, np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Concat", ["ones", "ratio", "ratio"], ["scales"], axis=0),
        node("Resize", ["src", "", "scales"], ["small"], mode="linear"),
        node("Conv", ["small", "w1"], ["a"], pads=[1] * 4),
        node("Shape", ["a"], ["shape_a"]),
        node("Expand", ["r1i", "shape_a"], ["r1"]),
        node("Mul", ["r1", "half"], ["r1h"]),
        node("Add", ["a", "r1h"], [f"r1{feeds}"]),
        node("Conv", [f"r1{feeds}", "w2"], ["b"], pads=[1] * 4, strides=[2, 2]),
        node("Shape", ["b"], ["shape_b"]),
        node("Expand", ["r2i", "shape_b"], ["r2"]),
        node("Add", ["b", "r2"], ["s2"]),
        node("Tanh", ["s2"], [f"r2{feeds}"]),
        node("Conv", [f"r2{feeds}", "w3"], ["p"]),
        node("Sigmoid", ["p"], ["pha"]),
    ]
    value = helper.make_tensor_value_info
    inputs = [value("src", TensorProto.FLOAT, [1, 3, "h", "w"])]
    inputs += [value(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    inputs += [value("ratio", TensorProto.FLOAT, [1])]
    outputs = [value(n, TensorProto.FLOAT, [1, "c", "y", "x"]) for n in ("pha", f"r1{feeds}", f"r2{feeds}")]
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "matting", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def saved(proto: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(proto, folder / "net.onnx")
    return folder / "net.onnx"


DYNAMIC = {"r1i": ["b", "c1", "y1", "x1"], "r2i": ["b", "c2", "y2", "x2"]}


def test_a_recurrent_network_is_what_onnx_runtime_makes_of_a_clip(tmp_path: Path) -> None:
    path, inputs = exported(tmp_path), moving_frames(9, 32)
    network = read_onnx(path)
    assert list(network.states) == ["h_in"] and list(network.outputs) == ["mask"]
    expected = onnx_runtime_over(
        path, inputs, "image", {"h_in": "h_out"}, {"h_in": np.zeros((1, 8, 16, 16), np.float32)}
    )
    stream = FloatStream(network)
    for x, wanted in zip(inputs, expected, strict=True):
        np.testing.assert_allclose(stream.feed(x)["mask"].numpy(), wanted["mask"], atol=1e-5)
    np.testing.assert_allclose(stream.states["h_in"].numpy(), expected[-1]["h_out"], atol=1e-5)


def test_a_batch_of_videos_becomes_one(tmp_path: Path) -> None:
    one, several = (read_onnx(exported(tmp_path, batch=batch)) for batch in (1, 2))
    assert several.shapes["h_in"] == (1, 8, 16, 16) and several.input_shape[0] == 1
    streams = FloatStream(one), FloatStream(several)
    for x in moving_frames(3, 32):
        a, b = (stream.feed(x)["mask"] for stream in streams)
        torch.testing.assert_close(a, b)


def test_a_state_of_dynamic_size_has_that_of_the_picture_over_a_stride(tmp_path: Path) -> None:
    path = exported(tmp_path, dynamic=True)
    network = read_onnx(path, size=(48, 32))
    assert network.shapes["h_in"] == (1, 8, 24, 16)
    assert network.input_shape == (1, 3, 48, 32)


def test_states_that_are_spread_find_their_sizes_and_a_number_is_given(tmp_path: Path) -> None:
    path, inputs = saved(matting(DYNAMIC), tmp_path), moving_frames(8, 32)
    network = read_onnx(path, {"input": "ratio=0.5"}, size=(32, 32))
    assert {name: network.shapes[name] for name in network.states} == {
        "r1i": (1, 4, 16, 16),
        "r2i": (1, 4, 8, 8),
    }
    assert list(network.outputs) == ["pha"]
    zeros = {name: np.zeros((1, 1, 1, 1), np.float32) for name in DYNAMIC}
    fed = {"r1i": "r1o", "r2i": "r2o"}
    ratio = {"ratio": np.array([0.5], np.float32)}
    expected = onnx_runtime_over(path, inputs, "src", fed, zeros | ratio)
    stream = FloatStream(network)
    for x, wanted in zip(inputs, expected, strict=True):
        np.testing.assert_allclose(stream.feed(x)["pha"].numpy(), wanted["pha"], atol=1e-5)


def test_what_feeds_a_state_is_said_by_the_caller_the_metadata_or_the_names(tmp_path: Path) -> None:
    proto, given = matting(DYNAMIC, "_new"), {"input": "ratio=1"}
    path, said = saved(proto, tmp_path), "r1_new=r1i,r2_new=r2i"
    with pytest.raises(
        NetworkError, match=r"it has 3 inputs that nothing feeds \('src', 'r1i', 'r2i'\); all"
    ):
        read_onnx(path, given, (16, 16))
    assert list(read_onnx(path, given | {"state": said}, (16, 16)).states) == ["r1i", "r2i"]
    helper.set_model_props(proto, {"state": said})
    assert list(read_onnx(saved(proto, tmp_path), given, (16, 16)).states) == ["r1i", "r2i"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"it has 2 inputs that nothing feeds \('src', 'ratio'\)"),
        ({"input": "ratio"}, "--input 'ratio': it must be NAME=VALUE"),
        ({"input": "ratio=much"}, "--input ratio=much: 'much' is no number"),
        ({"input": "ratio=inf"}, "--input ratio=inf: it must be a finite number"),
        ({"input": "ratio=1,gain=2"}, "--input gain: there is no such input; there are src, r1i, r2i, ratio"),
        (
            {"input": "ratio=1", "state": "r9o=r1i"},
            "--state r9o=r1i: there is no output 'r9o'; there are pha",
        ),
        ({"input": "ratio=1", "state": "r1o=r9i"}, "--state r1o=r9i: there is no input 'r9i'; there are src"),
        ({"input": "ratio=1", "state": "r1o=r1i,r2o=r1i"}, "--state: two outputs feed 'r1i'"),
        ({"input": "ratio=1", "state": "r1o=r1i,r1o=r2i"}, "--state: 'r1o' is named twice"),
        ({"input": "ratio=1,src=1", "state": "r1o=r1i,r2o=r2i"}, "it has no input that is the picture"),
    ],
)
def test_bad_input_is_one_line(given: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=message) as caught:
        read_onnx(saved(matting(DYNAMIC), tmp_path), given, (16, 16))
    assert "\n" not in str(caught.value)


def test_shapes_that_differ_or_change_are_refused(tmp_path: Path) -> None:
    fixed = {"r1i": [1, 4, 16, 16], "r2i": [1, 4, 1, 1]}
    with pytest.raises(
        NetworkError, match="state 'r2i' is 1×4×1×1, but output 'r2o', which feeds it, 1×4×8×8"
    ):
        read_onnx(saved(matting(fixed), tmp_path), {"input": "ratio=1"}, (16, 16))
    growing = helper.make_node("Concat", ["h_in", "image"], ["h_out"], axis=2)
    value, dims = helper.make_tensor_value_info, [1, 3, "h", 8]
    names = ["image", "h_in"], ["h_out", "y"]
    inputs, outputs = ([value(name, TensorProto.FLOAT, dims) for name in part] for part in names)
    graph = helper.make_graph([growing, helper.make_node("Relu", ["image"], ["y"])], "g", inputs, outputs)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(NetworkError, match=r"its states change their sizes from frame to frame \(h_in "):
        read_onnx(saved(proto, tmp_path), size=(8, 8))


def test_the_only_result_stays_one_when_it_is_a_state_too(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["image", "prev"], ["next"])]
    value = helper.make_tensor_value_info
    inputs = [value(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("image", "prev")]
    graph = helper.make_graph(nodes, "sum", inputs, [value("next", TensorProto.FLOAT, [1, 3, 8, 8])])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    stream = FloatStream(read_onnx(saved(proto, tmp_path)))
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(stream.feed(x)["next"], x)
    assert torch.equal(stream.feed(x)["next"], x + x)


def test_pairs_are_read_with_spaces() -> None:
    assert pairs(" a=b , c = d,", "here") == {"a": "b", "c": "d"}
