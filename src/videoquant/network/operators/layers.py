"""The operators that carry the multiply–accumulates."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from videoquant.network.operators.registry import by_row

# At their inputs stand the quantizers.
LAYERS = ("conv2d", "conv_transpose2d", "linear")


@by_row(4)
def conv2d(
    x: Tensor,
    *,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """weight: C_out × C_in/groups × k_h × k_w; padding: (top, left, bottom, right), zeros."""
    top, left, bottom, right = padding
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
    return F.conv2d(x, weight, bias, tuple(stride), (top, left), tuple(dilation), groups)


@by_row(4)
def conv_transpose2d(
    x: Tensor,
    *,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """weight: C_in × C_out/groups × k_h × k_w; padding: (top, left, bottom, right), cut from the output."""
    top, left, bottom, right = padding
    uneven = (top, left) != (bottom, right)
    cut = (0, 0) if uneven else (top, left)
    y = F.conv_transpose2d(
        x, weight, bias, tuple(stride), cut, tuple(output_padding), groups, tuple(dilation)
    )
    return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right] if uneven else y


@by_row(2)
def linear(x: Tensor, *, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """weight: features_out × features_in, applied to the last dimension."""
    return F.linear(x, weight, bias)
