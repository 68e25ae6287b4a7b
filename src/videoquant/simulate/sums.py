"""Sums of products of codes, exact in floating point.

float32 holds every whole number up to 2^24. Where no sum of some of a layer's products can be larger, none is
rounded, in whatever order a convolution adds them, and the result is what an int32 accumulator holds. At
8 bits that is sure as long as the weight codes of one sign add up to at most 65793 in every output channel.
A layer of which it is not (3×3 kernels over 256 channels and more, if any) is computed in parts of its input
channels of which it is.
"""

from __future__ import annotations

from itertools import count, pairwise
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from videoquant.network.graph import Node
from videoquant.network.operators import OPERATORS
from videoquant.quantizers.weights import WeightCodes
from videoquant.simulate.quantized_tensor import QuantizedTensor

LARGEST = 2**24
# A part of a layer's input channels: their indices in the input, and in the weights.
Part = tuple[Tensor, Tensor]
_parts: WeakKeyDictionary[WeightCodes, dict[float, list[Part]]] = WeakKeyDictionary()


def exact_sums(node: Node, x: QuantizedTensor, codes: WeightCodes) -> Tensor:
    """float32(acc), acc = Σ (q − z_x) · (w − z_w): a layer's sums, rounded at most once. A new tensor."""
    # Steps lie between −z and span − z: the sum of some products is at most span · extent, either way.
    limit = LARGEST / (x.grid.high - x.grid.low)
    if codes.extent <= limit:
        channels_last = node.op == "conv2d" and not x.steps.is_contiguous()
        weight = codes.steps_channels_last if channels_last else codes.steps
        return OPERATORS[node.op](x.steps, weight=weight, **node.attributes)
    known = _parts.setdefault(codes, {})
    if limit not in known:
        known[limit] = input_parts(node, codes, limit)
    total: Tensor | None = None
    for of_x, of_weight in known[limit]:
        steps = x.steps.index_select(-1 if node.op == "linear" else 1, of_x)
        weight = codes.steps.index_select(1 - codes.axis, of_weight)
        part = OPERATORS[node.op](steps, weight=weight, **node.attributes).double()
        total = part if total is None else total.add_(part)
    assert total is not None
    return total.float()


def input_parts(node: Node, codes: WeightCodes, limit: float) -> list[Part]:
    """The fewest even parts of a layer's input channels such that the extent of each is within a limit."""
    groups = int(node.attributes.get("groups", 1))
    transposed = node.op == "conv_transpose2d"
    each = codes.codes.shape[1 - codes.axis] // (groups if transposed else 1)
    channels = torch.arange(groups * each, device="cpu").view(
        groups, each
    )  # a part takes as many from every group
    for number in count(1):
        ends = [each * i // number for i in range(number + 1)]
        of_x = [channels[:, first:last].flatten() for first, last in pairwise(ends)]
        of_weight = of_x if transposed else [channels[0, first:last] for first, last in pairwise(ends)]
        # One channel at a time suffices for any kernel up to 16×16.
        if number == each or max(codes.part_extents(of_weight)) <= limit:
            return list(zip(of_x, of_weight, strict=True))
    raise AssertionError
