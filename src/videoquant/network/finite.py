"""The one rule for numbers that are not finite: what a quantizer takes must be, since codes cannot say them.

Between quantizers a network may hold infinity, such as in a mask before a softmax.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from videoquant.errors import DataError
from videoquant.network.graph import Network, Node


def require_finite(x: Tensor, network: Network, value: str, frame: Tensor, which: str = "this frame") -> None:
    """Raise `DataError` where a value about to be quantized holds NaN or infinity.

    value: its name in the network.
    frame: the network's input that it came from.
    which: the frame in words.

    The message names the first node that gives such numbers in floating point.
    """
    if x.numel() == 0 or all(math.isfinite(end) for end in torch.aminmax(x.detach())):  # NaN is both ends
        return
    raise DataError(
        f"{network.name}: node {(_origin(network, frame) or value)!r} gives NaN or infinity for {which}, "
        "which cannot be quantized; leave the frame out, or mend the network"
    )


def _origin(network: Network, frame: Tensor) -> str | None:
    """The first node that a floating-point run gives NaN or infinity at; None where it gives none."""
    found: list[str] = []

    def compute(node: Node, inputs: list[Tensor]) -> Tensor:
        y = network.apply(node, inputs)
        if not found and y.is_floating_point() and not bool(torch.isfinite(y).all()):
            found.append(node.name)
        return y

    with torch.no_grad():
        network.run(frame, compute)
    return found[0] if found else None
