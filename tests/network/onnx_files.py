"""ONNX files of one operator or a few, and ONNX Runtime beside what is read of them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from videoquant.network.onnx_reader import read_onnx

RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def scalar(number: float) -> np.ndarray:
    return np.array(number, dtype=np.float32)


@dataclass
class Case:
    """One operator on the image: its other inputs (None: left out) and its attributes."""

    op: str
    inputs: list[Any] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = (1, 4, 6, 7)
    outputs: int = 1
    opset: int = 18
    before: str = ""  # an operator between the image and this one

    def model(self) -> onnx.ModelProto:
        names = [
            "x" if self.before else "image",
            *("" if value is None else f"c{i}" for i, value in enumerate(self.inputs)),
        ]
        outputs = [f"out{i}" for i in range(self.outputs)]
        node = helper.make_node(self.op, names, outputs, name="the_node", **self.attributes)
        constants = {f"c{i}": value for i, value in enumerate(self.inputs) if value is not None}
        nodes = [helper.make_node(self.before, ["image"], ["x"]), node] if self.before else [node]
        return model(nodes, constants, outputs, self.shape, self.opset)


def model(
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    outputs: list[str],
    shape: tuple[Any, ...] = (1, 4, 6, 7),
    opset: int = 18,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def save(proto: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(proto, folder / "net.onnx")
    return folder / "net.onnx"


def onnx_runtime(path: Path, x: torch.Tensor) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: x.numpy()}), strict=True))


def check(proto: onnx.ModelProto, folder: Path) -> Any:
    """Read the model, compare every output with ONNX Runtime, return the network."""
    path = save(proto, folder)
    network = read_onnx(path)
    batch = proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1
    x = torch.from_numpy(floats(batch, *network.input_shape[1:]) * 2)
    expected = onnx_runtime(path, x)
    outputs = network.run(x)
    assert list(outputs) == list(expected)
    for name, output in outputs.items():
        assert output.shape == expected[name].shape
        assert tuple(output.shape[1:]) == network.shapes[network.outputs[name]][1:]
        np.testing.assert_allclose(output.numpy(), expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
    return network


KERNEL = {"kernel_shape": [3, 3]}


UPPER, LOWER = {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}


NORM = [floats(4), floats(4), floats(4), np.abs(floats(4)) + 0.5]


ASYMMETRIC = {"coordinate_transformation_mode": "asymmetric"}


LINEAR = {"mode": "linear"}


DOUBLE, SIZES = np.array([1, 1, 2, 2], np.float32), ints(1, 4, 9, 5)
