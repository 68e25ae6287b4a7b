"""Folding batch norm leaves what the network computes as it is."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from videoquant.network.fold import fold_batch_norm
from videoquant.network.graph import Network, Node

CONV = {"stride": [1, 1], "padding": [1, 1, 1, 1], "dilation": [1, 1], "groups": 1}


def norm(name: str, source: str, channels: int) -> tuple[Node, dict[str, Tensor]]:
    tensors = {short: torch.randn(channels) for short in ("weight", "bias", "mean")}
    tensors["var"] = torch.rand(channels) + 0.1
    node = Node(name, "batch_norm", (source,), {"eps": 1e-3}, tuple(tensors))
    return node, {f"{name}.{short}": tensor for short, tensor in tensors.items()}


def apply(x: Tensor, name: str, tensors: dict[str, Tensor]) -> Tensor:
    weight, bias, mean, var = (tensors[f"{name}.{short}"] for short in ("weight", "bias", "mean", "var"))
    return F.batch_norm(x, mean, var, weight, bias, eps=1e-3)


def conv(name: str = "conv", source: str = "x", bias: bool = False) -> tuple[Node, dict[str, Tensor]]:
    tensors = {f"{name}.weight": torch.randn(4, 4, 3, 3)}
    if bias:
        tensors[f"{name}.bias"] = torch.randn(4)
    return Node(name, "conv2d", (source,), CONV, ("weight", "bias") if bias else ("weight",)), tensors


@settings(max_examples=25, deadline=None)
@given(
    op=st.sampled_from(["conv2d", "conv_transpose2d"]),
    groups=st.integers(1, 3),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    bias=st.booleans(),
)
def test_a_folded_convolution_computes_the_same(
    op: str, groups: int, inputs: int, outputs: int, bias: bool
) -> None:
    sizes = (groups * outputs, inputs) if op == "conv2d" else (groups * inputs, outputs)
    tensors = {"conv.weight": torch.randn(*sizes, 3, 3)} | (
        {"conv.bias": torch.randn(groups * outputs)} if bias else {}
    )
    attributes = {**CONV, "groups": groups} | ({} if op == "conv2d" else {"output_padding": [0, 0]})
    layer = Node("conv", op, ("x",), attributes, ("weight", "bias") if bias else ("weight",))
    bn, statistics = norm("bn", "conv", groups * outputs)
    x = torch.randn(2, groups * inputs, 5, 6)
    y = Network([layer], "x", x.shape, {"y": "conv"}, tensors).run(x)["y"]

    nodes, folded, names = fold_batch_norm([layer, bn], tensors | statistics, {"y": "bn"})
    assert [node.name for node in nodes] == ["conv"]
    assert nodes[0].tensors == ("weight", "bias")
    assert set(folded) == {"conv.weight", "conv.bias"}
    assert names == {"y": "conv"}
    result = Network(nodes, "x", x.shape, names, folded).run(x)["y"]
    torch.testing.assert_close(result, apply(y, "bn", statistics), rtol=1e-4, atol=1e-4)


def test_a_linear_layer_takes_batch_norm_in() -> None:
    layer = Node("fc", "linear", ("x",), {}, ("weight", "bias"))
    tensors = {"fc.weight": torch.randn(5, 3), "fc.bias": torch.randn(5)}
    bn, statistics = norm("bn", "fc", 5)
    nodes, folded, _ = fold_batch_norm([layer, bn], tensors | statistics, {"y": "bn"})
    x = torch.randn(4, 3)
    expected = apply(F.linear(x, tensors["fc.weight"], tensors["fc.bias"]), "bn", statistics)
    assert [node.op for node in nodes] == ["linear"]
    torch.testing.assert_close(
        F.linear(x, folded["fc.weight"], folded["fc.bias"]), expected, rtol=1e-4, atol=1e-5
    )


def test_readers_of_the_batch_norm_read_the_layer() -> None:
    (layer, weights), (bn, statistics) = conv(), norm("bn", "conv", 4)
    relu = Node("relu", "clamp", ("bn",), {"min": 0.0})
    add = Node("add", "add", ("relu", "bn"))
    nodes, _, names = fold_batch_norm([layer, bn, relu, add], weights | statistics, {"y": "add", "z": "bn"})
    assert [(node.name, node.inputs) for node in nodes] == [
        ("conv", ("x",)),
        ("relu", ("conv",)),
        ("add", ("relu", "conv")),
    ]
    assert names == {"y": "add", "z": "conv"}


def test_two_batch_norms_in_a_row_are_both_folded() -> None:
    (layer, weights), (one, first), (two, second) = (
        conv(bias=True),
        norm("one", "conv", 4),
        norm("two", "one", 4),
    )
    nodes, folded, names = fold_batch_norm([layer, one, two], weights | first | second, {"y": "two"})
    x = torch.randn(1, 4, 5, 5)
    y = F.conv2d(x, weights["conv.weight"], weights["conv.bias"], padding=1)
    result = Network(nodes, "x", x.shape, names, folded).run(x)["y"]
    assert len(nodes) == 1
    torch.testing.assert_close(result, apply(apply(y, "one", first), "two", second), rtol=1e-4, atol=1e-4)


def test_a_batch_norm_becomes_affine_where_it_cannot_be_folded() -> None:
    """It reads the input, no layer, a layer that something else reads, or a layer that is an output."""
    (layer, weights), (bn, statistics) = conv(), norm("bn", "conv", 4)
    relu = Node("relu", "clamp", ("conv",), {"min": 0.0})
    first, more = norm("first", "x", 4)
    x = torch.randn(1, 4, 5, 5)
    y = F.conv2d(x, weights["conv.weight"], padding=1)
    for graph, outputs, source in [
        ([first], {"y": "first"}, x),
        ([layer, bn, relu], {"y": "bn", "z": "relu"}, y),
        ([layer, bn], {"y": "bn", "z": "conv"}, y),
    ]:
        nodes, tensors, names = fold_batch_norm(graph, weights | statistics | more, outputs)
        assert [node.op for node in nodes] == [n.op.replace("batch_norm", "affine") for n in graph]
        assert names == outputs
        result = Network(nodes, "x", x.shape, names, tensors).run(x)["y"]
        expected = apply(source, outputs["y"], statistics | more)
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)


def test_the_arguments_stay_as_they_are() -> None:
    (layer, weights), (bn, statistics) = conv(), norm("bn", "conv", 4)
    tensors = weights | statistics
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    fold_batch_norm([layer, bn], tensors, {"y": "bn"})
    assert tensors.keys() == before.keys()
    assert all(torch.equal(tensors[name], before[name]) for name in before)
