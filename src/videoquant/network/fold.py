"""Batch norm goes into the layer before it: (W∗x + b) · s + t is a convolution with W·s and b·s + t."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from videoquant.network.graph import Node
from videoquant.network.operators import LAYERS


def fold_batch_norm(
    nodes: Sequence[Node],
    tensors: dict[str, Tensor],
    outputs: dict[str, str],
    fixed: Collection[str] = (),
) -> tuple[list[Node], dict[str, Tensor], dict[str, str]]:
    """Remove every "batch_norm" (tensors weight, bias, mean, var of C values; attribute eps).

    It is folded into the convolution or linear layer that it reads, if nothing else reads that; the layer
    keeps its name, and what read the batch norm reads the layer. Any other becomes an "affine" node.

    nodes: in topological order.
    tensors: "node.weight" → tensor.
    outputs: output name → value.
    fixed: layers that keep their weights as they are.
    Returns new nodes, tensors and outputs; the arguments stay as they are.
    """
    uses = Counter([value for node in nodes for value in node.inputs] + list(outputs.values()))
    folded: dict[str, Node] = {}
    tensors = dict(tensors)
    renamed: dict[str, str] = {}
    for node in nodes:
        node = replace(node, inputs=tuple(renamed.get(value, value) for value in node.inputs))
        if node.op != "batch_norm":
            folded[node.name] = node
            continue
        norm = {short: tensors.pop(f"{node.name}.{short}") for short in node.tensors}
        scale, shift = scale_and_shift(norm, node.attributes["eps"])
        layer = folded.get(node.inputs[0])
        takes = layer is not None and layer.op in LAYERS and layer.name not in fixed
        if layer is not None and takes and uses[layer.name] == 1:
            folded[layer.name] = replace(layer, tensors=("weight", "bias"))
            tensors |= _folded(layer, tensors, scale, shift)
            renamed[node.name] = layer.name
            uses[layer.name] = uses[node.name]
        else:
            folded[node.name] = Node(node.name, "affine", node.inputs, tensors=("weight", "bias"))
            tensors |= {f"{node.name}.weight": scale.float(), f"{node.name}.bias": shift.float()}
    outputs = {output: renamed.get(value, value) for output, value in outputs.items()}
    return list(folded.values()), tensors, outputs


def scale_and_shift(norm: dict[str, Tensor], eps: float) -> tuple[Tensor, Tensor]:
    """What a batch norm does to a channel: x · scale + shift; both float64, C values.

    norm: weight, bias, mean and var of C values. scale = weight / √(var + eps), shift = bias − mean · scale.
    """
    weight, bias, mean, var = (norm[short].double() for short in ("weight", "bias", "mean", "var"))
    scale = weight / torch.sqrt(var + eps)
    return scale, bias - mean * scale


def _folded(layer: Node, tensors: dict[str, Tensor], scale: Tensor, shift: Tensor) -> dict[str, Tensor]:
    """The layer's weight and bias, each output channel multiplied by its scale and the bias shifted."""
    weight = tensors[f"{layer.name}.weight"].double()
    if layer.op == "conv_transpose2d":
        # C_in × C_out/groups: output channel g · C_out/groups + j is column j of the rows of group g.
        groups = layer.attributes["groups"]
        grouped = weight.view(groups, -1, *weight.shape[1:])
        weight = (grouped * scale.view(groups, 1, -1, 1, 1)).view(weight.shape)
    else:
        weight = weight * scale.view(-1, *[1] * (weight.dim() - 1))
    if "bias" in layer.tensors:
        shift = shift + tensors[f"{layer.name}.bias"].double() * scale
    return {f"{layer.name}.weight": weight.float(), f"{layer.name}.bias": shift.float()}
