"""Operators on the height and width of maps N×C×H×W: pools, resizing, sampling."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from videoquant.network.operators.registry import by_row, operator


@by_row(4)
def max_pool2d(
    x: Tensor,
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil: bool,
) -> Tensor:
    """padding: (top, left, bottom, right), with −∞."""
    top, left, bottom, right = padding
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom), value=float("-inf")), 0, 0
    return F.max_pool2d(x, tuple(kernel), tuple(stride), (top, left), tuple(dilation), ceil)


@by_row(4)
def avg_pool2d(
    x: Tensor,
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil: bool,
    count_padding: bool,
) -> Tensor:
    """padding: (top, left), the same at the far sides; counted in the average where `count_padding`."""
    return F.avg_pool2d(x, tuple(kernel), tuple(stride), tuple(padding), ceil, count_padding)


@by_row(4)
def adaptive_avg_pool2d(x: Tensor, *, size: Sequence[int]) -> Tensor:
    """size: (height, width) of the output; (1, 1) is global average pooling."""
    return F.adaptive_avg_pool2d(x, (size[0], size[1]))


@operator
def grid_sample(x: Tensor, grid: Tensor, *, mode: str, padding: str, align_corners: bool) -> Tensor:
    """x at the places of `grid`, N×h×w×2, (x, y) of −1 to 1; mode: bilinear, nearest or bicubic."""
    return F.grid_sample(x, grid, mode, padding, align_corners)


@by_row(4)
def resize(
    x: Tensor,
    *,
    mode: str,
    size: Sequence[int] | None = None,
    scale: Sequence[float] | None = None,
    align_corners: bool = False,
) -> Tensor:
    """mode: "nearest" (floor), "bilinear" or "bicubic" (half-pixel centres, or aligned corners).

    size or scale: (h, w).

    A scale gives ⌊height · scale⌋ rows; row i comes from (i + 0.5) / scale − 0.5 even where the floor cuts.
    """
    corners = None if mode == "nearest" else align_corners
    return F.interpolate(
        x,
        None if size is None else tuple(size),
        None if scale is None else tuple(scale),
        mode=mode,
        align_corners=corners,
    )


@by_row(4)
def pixel_shuffle(x: Tensor, *, factor: int, order: str = "CRD") -> Tensor:
    """C·r² channels to r× height and width; order "CRD" as PyTorch, "DCR" as TensorFlow's depth-to-space."""
    if order == "DCR":
        n, c, h, w = x.shape
        x = x.view(n, factor * factor, c // (factor * factor), h, w).transpose(1, 2).reshape(n, c, h, w)
    return F.pixel_shuffle(x, factor)
