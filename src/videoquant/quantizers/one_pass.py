"""What simulation does to whole tensors, in one pass of native code each: the bits of PyTorch's operators.

A frame's activations are larger than caches: what counts is how often they are read and written. Where a
gradient passes, and for tensors that do not lie in memory as networks' values do, PyTorch's operators stay.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from videoquant import _native
from videoquant.ranges.grid import Grid


def has_gradient(*tensors: Tensor | None) -> bool:
    """Whether a gradient passes to one of the tensors."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def is_plain(x: Tensor, other: Tensor | None = None) -> bool:
    """Whether native code takes these: float32 on the CPU, without gradient, dense and both lying alike."""
    if x.dtype != torch.float32 or not x.is_cpu or has_gradient(x, other):
        return False
    dense = x.is_contiguous() or (x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last))
    if not dense or not x.numel():
        return False
    return other is None or (
        other.dtype == torch.float32
        and other.is_cpu
        and other.shape == x.shape
        and other.stride() == x.stride()
    )


def quantize_steps(
    x: Tensor, grid: Grid, reference: Tensor | None = None, keep: bool = False
) -> tuple[Tensor, Tensor | None, bool]:
    """The steps q − zero_point of x, or of x − reference.

    x, reference: `is_plain` together.
    Returns them as whole numbers in float32, lying as x does; with `keep` what they stand for,
    steps · scale + reference; and whether all of x is finite.
    """
    steps = torch.empty_like(x)
    values = torch.empty_like(x) if keep else None
    finite = _native.quantize_steps(
        x.data_ptr(),
        x.numel(),
        float(np.float32(1) / np.float32(grid.scale)),
        grid.low - grid.zero_point,
        grid.high - grid.zero_point,
        grid.scale,
        steps.data_ptr(),
        0 if reference is None else reference.data_ptr(),
        0 if values is None else values.data_ptr(),
        torch.get_num_threads(),
    )
    return steps, values, finite


def scale_sums(sums: Tensor, scale: Tensor, axis: int, bias: Tensor | None, before: Tensor | None) -> None:
    """In place: sums · scale + bias, or + before, every operation rounded.

    sums, before: `is_plain` together.
    scale: float32, one, or one per channel, as bias has; axis: of the channels, 1 or the last one.
    """
    channels = sums.shape[axis]
    last = axis in (-1, sums.dim() - 1) or not sums.is_contiguous()  # else a row is one channel's map
    columns = channels if last else sums[0, 0].numel()
    scale = (scale.expand(channels) if scale.numel() == 1 else scale).contiguous()
    bias = None if bias is None else bias.contiguous()
    for vector in (scale, bias):
        if vector is not None and (vector.shape != (channels,) or vector.dtype != torch.float32):
            raise ValueError(f"{channels} channels; {tuple(vector.shape)} of {vector.dtype}")
    _native.scale_sums(
        sums.data_ptr(),
        sums.numel() // columns,
        columns,
        channels,
        not last,
        scale.data_ptr(),
        0 if bias is None else bias.data_ptr(),
        0 if before is None else before.data_ptr(),
        torch.get_num_threads(),
    )
