"""Operators as ONNX Runtime computes them from the written file, and what comes back when it is read.

Those that ONNX has are drawn, and written, in test_operator_sweep.py.
"""

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
from videoquant.network.onnx_writer import write_onnx
from videoquant.network.preprocessing import Preprocessing

SHAPE = (1, 4, 6, 7)


def floats(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@dataclass
class Case:
    """One operator on the image: its attributes and tensors, and whether a reshape comes before it."""

    op: str
    attributes: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    flat: bool = False

    def network(self) -> Network:
        before = [Node("flat", "reshape", ("image",), {"shape": [0, -1]})] if self.flat else []
        inputs = ("flat" if self.flat else "image",)
        node = Node("node", self.op, inputs, self.attributes, tuple(self.tensors))
        tensors = {f"node.{name}": tensor for name, tensor in self.tensors.items()}
        return Network([*before, node], "image", SHAPE, {"y": "node"}, tensors)


# What no ONNX operator is read as, or not in this form; all others are drawn in test_operator_sweep.py.
CASES = [
    Case(
        "conv2d",
        {"stride": [2, 1], "padding": [0, 1, 2, 3], "dilation": [1, 2], "groups": 2},
        {"weight": floats(6, 2, 3, 3), "bias": floats(6)},
    ),
    Case("linear", {}, {"weight": floats(5, 7), "bias": floats(5)}),
    Case("prelu", {}, {"weight": floats(168)}, flat=True),
    *(Case(op) for op in ("silu", "hardsigmoid", "gelu", "elu")),
    Case("adaptive_avg_pool2d", {"size": [3, 1]}),
    Case("resize", {"mode": "nearest", "scale": [2.0, 1.5]}),
    # Where no coordinates of ONNX take PyTorch's pixels.
    Case("resize", {"mode": "nearest", "scale": [1.1092220544815063, 1.4412554502487183]}),
    Case("resize", {"mode": "bilinear", "scale": [2.5, 1.7]}),
    Case("pad", {"padding": [0, 0, 0, 0, 1, 2], "mode": "constant", "value": 0.0}),
    Case(  # ONNX Runtime takes no pads as large as the kernel
        "max_pool2d",
        {"kernel": [2, 3], "stride": [2, 2], "padding": [0, 1, 2, 0], "dilation": [3, 2], "ceil": False},
    ),
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
