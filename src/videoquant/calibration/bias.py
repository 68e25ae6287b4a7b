"""Local bias correction: what quantization adds to a layer's output on average is taken from its bias.

    b' = b + mean over samples and pixels of (W∗x + b) − (Ŵ∗x̂ + b),  by output channel

x is the layer's input as it is at run time, made by the quantized layers before it, before it is quantized;
so each layer is corrected for its own rounding and clipping alone, in network order, without labels, and at
no cost at run time (Nagel et al., "Data-free quantization through weight equalization and bias correction",
ICCV 2019, section 4.2, on samples). Correcting for the whole shift, that of the layers before included, was
measured to be worse.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from videoquant.network.graph import Node
from videoquant.network.operators import OPERATORS
from videoquant.quantizers.weights import WeightCodes
from videoquant.simulate.quantized_tensor import Represented, values_of


def corrected_bias(
    node: Node,
    samples: Iterable[tuple[Tensor, Represented]],
    codes: WeightCodes | None,
    tensors: dict[str, Tensor],
) -> Tensor:
    """A layer's bias, C_out, as it best is with these codes.

    samples: of the layer's input, x and x̂.
    codes: of its weights; None where they stay in floating point.
    tensors: its own: "weight" and maybe "bias".
    """
    weight = tensors["weight"]
    coded = weight if codes is None else codes.values
    shifts = [mean_output(node, x, weight) - mean_output(node, values_of(y), coded) for x, y in samples]
    shift = torch.stack(shifts).mean(0).float()
    bias = tensors.get("bias")
    return shift if bias is None else bias + shift


def mean_output(node: Node, x: Tensor, weight: Tensor) -> Tensor:
    """The mean of W∗x by output channel, float64: C_out.

    A convolution's is W times the mean of what each of its taps reads, which needs no convolution.
    """
    if node.op == "linear":
        return weight.double() @ x.flatten(0, -2).mean(0, dtype=torch.float64)
    if node.op == "conv_transpose2d":
        y = OPERATORS[node.op](x, weight=weight, **node.attributes)
        return y.mean((0, 2, 3), dtype=torch.float64)
    top, left, bottom, right = node.attributes["padding"]
    padded = F.pad(x, (left, right, top, bottom))
    taps = [_starts(size, padded.shape[2 + axis], node, axis) for axis, size in enumerate(weight.shape[2:])]
    read = torch.stack(
        [
            torch.stack(
                [padded[:, :, rows, columns].mean((0, 2, 3), dtype=torch.float64) for columns in taps[1]]
            )
            for rows in taps[0]
        ]
    )  # kernel rows × kernel columns × C_in
    groups = int(node.attributes["groups"])
    by_group = read.permute(2, 0, 1).reshape(groups, -1, *weight.shape[2:])
    kernels = weight.double().reshape(groups, -1, *weight.shape[1:])
    return torch.einsum("goikl,gikl->go", kernels, by_group).flatten()


def _starts(kernel: int, size: int, node: Node, axis: int) -> list[slice]:
    """Along one axis, what each tap reads of a padded input."""
    stride, dilation = node.attributes["stride"][axis], node.attributes["dilation"][axis]
    last = (size - dilation * (kernel - 1) - 1) // stride * stride
    return [slice(dilation * k, dilation * k + last + 1, stride) for k in range(kernel)]
