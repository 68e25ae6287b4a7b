"""What a file asks for is counted before it is read: constants, other files, functions, computed sizes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import videoquant as vq
from videoquant.errors import NetworkError
from videoquant.network.onnx_reader import read_onnx

WEIGHTS = np.arange(8, dtype=np.float32).reshape(2, 4, 1, 1)


def conv(**more: object) -> onnx.ModelProto:
    nodes = [*more.get("before", ()), helper.make_node("Conv", ["x", "w"], ["y"], name="conv")]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4, 6, 6))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 2, 6, 6))],
        more.get("constants", [numpy_helper.from_array(WEIGHTS, "w")]),
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, functions=more.get("functions", ())
    )


@pytest.mark.parametrize("what", ["shape", "type"])
def test_outputs_need_not_say_what_follows_from_the_nodes(what: str, tmp_path: Path) -> None:
    model = conv()
    output = model.graph.output[0]
    (output if what == "type" else output.type.tensor_type).ClearField(what)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    network = read_onnx(tmp_path / "net.onnx")
    assert network.shapes[network.outputs["y"]] == (1, 2, 6, 6)


def external(**entries: str) -> TensorProto:
    tensor = TensorProto(name="w", dims=WEIGHTS.shape, data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def refusal(model: onnx.ModelProto, folder: Path) -> str:
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(NetworkError) as raised:
        read_onnx(folder / "net.onnx")
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_data_in_another_file_of_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"1234" + WEIGHTS.tobytes())
    model = conv(constants=[external(location="data.bin", offset="4")])
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    assert (read_onnx(tmp_path / "net.onnx").tensors["w.weight"].numpy() == WEIGHTS).all()


@pytest.mark.parametrize(
    "entries",
    [
        {"location": "/dev/zero"},
        {"location": "../secret.bin"},
        {"location": "link.bin"},
        {"location": "missing.bin"},
        {"location": "."},
        {},
        {"location": "data.bin", "offset": "8"},
        {"location": "data.bin", "offset": "-4"},
        {"location": "data.bin", "length": "1000000000000"},
        {"location": "data.bin", "length": "x"},
    ],
    ids=str,
)
def test_data_elsewhere_or_of_another_size_is_refused(entries: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (folder / "data.bin", tmp_path / "secret.bin"):
        path.write_bytes(WEIGHTS.tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    refusal(conv(constants=[external(**entries)]), folder)


@pytest.mark.parametrize("dims", [(2**20, 2**20, 1, 1), (-1, 4, 1, 1), (2, 5, 1, 1), (2, 4, 1)])
def test_sizes_that_are_not_those_of_the_data_are_refused(dims: tuple[int, ...], tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(WEIGHTS, "w")
    tensor.ClearField("dims")
    tensor.dims.extend(dims)
    message = refusal(conv(constants=[tensor]), tmp_path)
    assert "constant 'w'" in message or "node 'conv'" in message


def ints(*numbers: int) -> TensorProto:
    return numpy_helper.from_array(np.array(numbers, np.int64), "sizes")


COMPUTED = {
    "ConstantOfShape": helper.make_node("ConstantOfShape", ["sizes"], ["w"], name="large"),
    "Expand": helper.make_node("Expand", ["one", "sizes"], ["w"], name="large"),
    "Tile": helper.make_node("Tile", ["one", "sizes"], ["w"], name="large"),
    "RandomNormal": helper.make_node("RandomNormal", [], ["w"], name="large", shape=[2, 4, 1, 1]),
    "RandomNormalLike": helper.make_node("RandomNormalLike", ["one"], ["w"], name="large"),
}


@pytest.mark.parametrize("op", COMPUTED)
def test_a_computed_constant_is_counted_before_it_is_computed(op: str, tmp_path: Path) -> None:
    one = numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "one")
    message = refusal(conv(before=[COMPUTED[op]], constants=[ints(2, 4, 2**16, 2**16), one]), tmp_path)
    assert "node 'large'" in message
    assert "asks for 256 GiB" in message or op.startswith("Random")


def test_functions_that_call_each_other_are_counted_before_they_are_expanded(tmp_path: Path) -> None:
    functions = []
    for level in range(30):
        inner = ("", "Relu") if level == 0 else ("local", f"f{level - 1}")
        calls = [
            helper.make_node(inner[1], ["a"], ["b"], domain=inner[0]),
            helper.make_node(inner[1], ["b"], ["c"], domain=inner[0]),
        ]
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
        functions.append(helper.make_function("local", f"f{level}", ["a"], ["c"], calls, opsets))
    model = conv(before=[helper.make_node("f29", ["w0"], ["w"], domain="local")], functions=functions,
                 constants=[numpy_helper.from_array(WEIGHTS, "w0")])  # fmt: skip
    model.opset_import.append(helper.make_opsetid("local", 1))
    assert "expanding its functions asks for" in refusal(model, tmp_path)


def test_the_limit_can_be_lifted_and_lowered(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(conv().SerializeToString())
    with vq.size_limit(1e-8), pytest.raises(NetworkError, match="constant 'w' asks for"):
        read_onnx(tmp_path / "net.onnx")
    with vq.size_limit(float("inf")):
        assert read_onnx(tmp_path / "net.onnx").input_shape == (1, 4, 6, 6)
