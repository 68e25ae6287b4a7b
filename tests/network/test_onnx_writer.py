"""Every operator as ONNX Runtime computes it from the written file, and what comes back when it is read."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from tests.networks import small_network
from videoquant.errors import NetworkError, OutputError
from videoquant.network.graph import Network, Node
from videoquant.network.onnx_reader import read_onnx
from videoquant.network.onnx_writer import OPERATORS, write_onnx
from videoquant.network.operators import OPERATORS as ALL
from videoquant.network.preprocessing import Preprocessing

SHAPE = (1, 4, 6, 7)


def floats(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@dataclass
class Case:
    """One operator on the image: its attributes and tensors, how often it reads it, a reshape before it."""

    op: str
    attributes: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    reads: int = 1
    flat: bool = False

    def network(self) -> Network:
        before = [Node("flat", "reshape", ("image",), {"shape": [0, -1]})] if self.flat else []
        inputs = ("flat" if self.flat else "image",) * self.reads
        node = Node("node", self.op, inputs, self.attributes, tuple(self.tensors))
        tensors = {f"node.{name}": tensor for name, tensor in self.tensors.items()}
        return Network([*before, node], "image", SHAPE, {"y": "node"}, tensors)


def window(**given: Any) -> dict[str, Any]:
    return {"stride": [1, 1], "padding": [0, 0, 0, 0], "dilation": [1, 1], **given}


POOL = {"kernel": [3, 2], "stride": [2, 2], "ceil": False}
CASES = [
    Case("round_to", {"dtype": "float16"}),
    Case("round_to", {"dtype": "bfloat16"}),
    Case("conv2d", window(groups=1), {"weight": floats(5, 4, 3, 2)}),
    Case(
        "conv2d",
        window(groups=2, stride=[2, 1], padding=[0, 1, 2, 3], dilation=[1, 2]),
        {"weight": floats(6, 2, 3, 3), "bias": floats(6)},
    ),
    Case("conv2d", window(groups=4, padding=[1, 1, 1, 1]), {"weight": floats(4, 1, 3, 3)}),
    Case("conv_transpose2d", window(groups=1, output_padding=[0, 0]), {"weight": floats(4, 3, 2, 3)}),
    Case(
        "conv_transpose2d",
        window(groups=2, stride=[2, 3], padding=[0, 1, 1, 0], output_padding=[1, 2]),
        {"weight": floats(4, 3, 3, 4), "bias": floats(6)},
    ),
    Case("linear", {}, {"weight": floats(5, 168), "bias": floats(5)}, flat=True),
    Case("linear", {}, {"weight": floats(5, 168)}, flat=True),
    Case("linear", {}, {"weight": floats(5, 7), "bias": floats(5)}),
    Case("linear", {}, {"weight": floats(5, 7)}),
    Case("affine", {}, {"weight": floats(4), "bias": floats(4)}),
    Case("affine", {}, {"weight": floats(168), "bias": floats(168)}, flat=True),
    *(Case(op, reads=2) for op in ("add", "sub", "mul", "div")),
    Case("clamp", {"min": 0.0}),
    Case("clamp", {"min": 0.0, "max": 6.0}),
    Case("clamp", {"max": 0.5}),
    Case("clamp", {"min": -0.5}),
    Case("leaky_relu", {"slope": 0.1}),
    Case("prelu", {}, {"weight": floats(4)}),
    Case("prelu", {}, {"weight": floats(1)}),
    Case("prelu", {}, {"weight": floats(168)}, flat=True),
    *(Case(op) for op in ("hardswish", "hardsigmoid", "sigmoid", "silu", "tanh", "erf", "gelu", "elu")),
    Case("hardsigmoid", {"alpha": 0.2, "beta": 0.4}),
    Case("gelu", {"approximate": "tanh"}),
    Case("elu", {"alpha": 0.5}),
    Case("softmax", {"dim": 1}),
    Case("softmax", {"dim": 3}),
    Case("max_pool2d", {**POOL, "padding": [1, 0, 0, 1], "dilation": [1, 2]}),
    Case("max_pool2d", {**POOL, "padding": [1, 1, 1, 1], "dilation": [1, 1], "ceil": True}),
    Case("avg_pool2d", {**POOL, "padding": [1, 0], "count_padding": True}),
    Case("avg_pool2d", {**POOL, "padding": [1, 1], "count_padding": False, "ceil": True}),
    Case("adaptive_avg_pool2d", {"size": [1, 1]}),
    Case("adaptive_avg_pool2d", {"size": [3, 1]}),
    Case("mean", {"dims": [2, 3], "keepdim": True}),
    Case("mean", {"dims": [1], "keepdim": False}),
    Case("amax", {"dims": [2, 3], "keepdim": False}),
    Case("resize", {"mode": "nearest", "size": [12, 10]}),
    Case("resize", {"mode": "nearest", "scale": [2.0, 1.5]}),
    Case("resize", {"mode": "bilinear", "size": [13, 5]}),
    Case("resize", {"mode": "bilinear", "size": [12, 14], "align_corners": True}),
    Case("resize", {"mode": "bilinear", "scale": [2.5, 1.7]}),
    Case("pixel_shuffle", {"factor": 2}),
    Case("pixel_shuffle", {"factor": 2, "order": "DCR"}),
    Case("concat", {"dim": 1}, reads=3),
    Case("slice", {"dim": 2, "start": 1, "end": 6, "step": 2}),
    Case("pad", {"padding": [1, 2, 3, 0], "mode": "constant", "value": 0.5}),
    Case("pad", {"padding": [0, 0, 0, 0, 1, 2], "mode": "constant", "value": 0.0}),
    Case("pad", {"padding": [1, 2, 3, 0], "mode": "reflect"}),
    Case("pad", {"padding": [1, 2, 3, 0], "mode": "replicate"}),
    Case("reshape", {"shape": [0, 2, -1]}),
    Case("permute", {"dims": [0, 2, 3, 1]}),
]


def onnx_runtime(path: Path, x: torch.Tensor) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: x.numpy()}), strict=True))


def check(network: Network, path: Path) -> Network:
    """Write the network, compare with ONNX Runtime, read it back, compare again; returns what was read."""
    write_onnx(network, path)
    x = floats(*network.input_shape)
    outputs = network.run(x)
    written, again = onnx_runtime(path, x), read_onnx(path)
    assert list(written) == list(outputs)
    for name, output in outputs.items():
        np.testing.assert_allclose(written[name], output.detach().numpy(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(again.run(x)[name], output)
    return again


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.op)
def test_operators(case: Case, tmp_path: Path) -> None:
    check(case.network(), tmp_path / "net.onnx")


def test_every_operator_is_written_and_tested() -> None:
    assert set(OPERATORS) == set(ALL)
    assert {case.op for case in CASES} | {"constant"} == set(ALL)


def test_a_network_comes_back_as_it_was(tmp_path: Path) -> None:
    network = small_network()
    network.preprocessing = Preprocessing((0.1, 0.2, 0.3), (0.5, 0.6, 0.7), 1 / 3, "BGR", "crop", "pose")
    again = check(network, tmp_path / "small.onnx")
    assert again.name == "small"
    assert [(node.name, node.op, node.attributes) for node in again.nodes] == [
        (node.name, node.op, node.attributes) for node in network.nodes
    ]
    assert again.preprocessing == network.preprocessing


def test_outputs_keep_their_names_whatever_nodes_are_called(tmp_path: Path) -> None:
    nodes = [
        Node("y", "constant", (), {}, ("value",)),
        Node("image.weight", "add", ("image", "y")),
        Node("z", "clamp", ("image.weight",), {"min": 0.0}),
    ]
    outputs = {"y": "z", "z": "image.weight", "again": "z", "same": "image"}
    check(Network(nodes, "image", SHAPE, outputs, {"y.value": floats(4, 1, 1)}), tmp_path / "net.onnx")


def test_what_onnx_cannot_say_is_refused(tmp_path: Path) -> None:
    network = Case("adaptive_avg_pool2d", {"size": [4, 1]}).network()
    with pytest.raises(NetworkError, match=r"network: node 'node' \(adaptive_avg_pool2d\): ONNX cannot pool"):
        write_onnx(network, tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        write_onnx(small_network(), tmp_path / "no" / "net.onnx")
