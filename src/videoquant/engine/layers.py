"""Convolutions, transposed convolutions and linear layers as operators of a plan, with their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.engine.operators import Operator
from videoquant.network.graph import Network, Node
from videoquant.quantizers.weights import WeightCodes, output_axis, outputs_first, weight_groups
from videoquant.runtime.sizes import Size


def integer_layer(
    network: Network, node: Node, size: Size, weights: WeightCodes, bias: Tensor | None
) -> Operator:
    """A layer on codes.

    size: of its input.
    weights: its codes; unsigned ones become signed by −128, as does their zero point.
    bias: C_out; None where nothing is added, as on residual frames.
    """
    shift = 128 if weights.codes.dtype == torch.uint8 else 0
    codes = (weights.codes.to(torch.int16) - shift).to(torch.int8)
    tensors = {
        "weight": _outputs_first(node, size, codes).numpy(),
        "scale": weights.scale.expand(output_channels(network, node)).contiguous().numpy(),
        "bias": _bias(network, node, bias),
    }
    attrs = _geometry(node, size, weights.codes) | {"weight_zero": weights.zero_point - shift if shift else 0}
    kind = "conv_transpose" if node.op == "conv_transpose2d" else "conv"
    return Operator(kind, attrs, tensors)


def float_layer(
    network: Network, node: Node, size: Size, weights: WeightCodes | None, bias: Tensor | None
) -> Operator:
    """A layer on float32 values; weights: the codes whose values it multiplies by, None for its own."""
    weight = network.tensors[f"{node.name}.weight"].detach() if weights is None else weights.values
    tensors = {"weight": _outputs_first(node, size, weight).numpy(), "bias": _bias(network, node, bias)}
    kind = "fconv_transpose" if node.op == "conv_transpose2d" else "fconv"
    return Operator(kind, _geometry(node, size, weight), tensors)


def output_channels(network: Network, node: Node) -> int:
    """How many channels a layer gives."""
    weight = network.tensors[f"{node.name}.weight"]
    if node.op == "conv_transpose2d":
        return weight.shape[1] * int(node.attributes["groups"])
    return weight.shape[0]


def _geometry(node: Node, size: Size, weight: Tensor) -> dict[str, Any]:
    """The attributes of a convolution; a linear layer is one whose kernel covers its whole input."""
    if node.op == "linear":
        one = {"stride": [1, 1], "dilation": [1, 1], "padding": [0, 0, 0, 0], "groups": 1}
        return {"kernel": list(size[:2]), **one}
    names = ["stride", "dilation", "padding", "groups"]
    names += ["output_padding"] if node.op == "conv_transpose2d" else []
    return {"kernel": list(weight.shape[2:]), **{name: node.attributes[name] for name in names}}


def _outputs_first(node: Node, size: Size, weight: Tensor) -> Tensor:
    """C_out × C_in/groups × k_h × k_w of whatever layout the layer keeps its weights in."""
    if node.op == "linear":
        weight = weight.reshape(-1, size[2], size[0], size[1])
    return outputs_first(weight, output_axis(node), weight_groups(node)).contiguous()


def _bias(network: Network, node: Node, bias: Tensor | None) -> NDArray[np.float32]:
    if bias is None:
        return np.zeros(output_channels(network, node), np.float32)
    array: NDArray[np.float32] = bias.detach().contiguous().numpy()
    return array
