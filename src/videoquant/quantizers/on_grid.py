"""Tensors on a grid: the steps, codes and values that a `Grid` makes of them, and their gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from videoquant.quantizers.one_pass import is_plain, quantize_steps
from videoquant.quantizers.straight_through import straight_through
from videoquant.ranges.grid import Grid


@dataclass(frozen=True, eq=False)
class LearnedGrid(Grid):
    """A grid in training.

    scale_tensor: its scale, one float32 value, with the gradient that leads to it.
    """

    scale_tensor: Tensor


def steps(x: Tensor, grid: Grid) -> Tensor:
    """q − zero_point: whole numbers in float32, of the shape of x. No gradient passes."""
    if is_plain(x):
        return quantize_steps(x, grid)[0]
    found = torch.mul(x, float(np.float32(1) / np.float32(grid.scale))).round_()
    return found.clamp_(grid.low - grid.zero_point, grid.high - grid.zero_point)


def codes(x: Tensor, grid: Grid) -> Tensor:
    """The codes of x, as int32 of the same shape."""
    return steps(x, grid).add_(grid.zero_point).to(torch.int32)


def dequantize(codes: Tensor, grid: Grid) -> Tensor:
    """The float32 values that codes stand for."""
    return (codes - grid.zero_point).float() * grid.scale


def fake_quantize(x: Tensor, grid: Grid) -> Tensor:
    """x̂, float32 of the shape of x; gradients pass to x inside the range, and to a learned scale."""
    if not needs_gradient(x, grid):
        return steps(x, grid).mul_(grid.scale)
    scale = (
        grid.scale_tensor
        if isinstance(grid, LearnedGrid)
        else torch.tensor(grid.scale, dtype=torch.float32, device="cpu")
    )
    return straight_through(x, scale, grid.zero_point, grid.low, grid.high)


def needs_gradient(x: Tensor, grid: Grid) -> bool:
    """Whether a gradient passes through quantization: to x, or to the grid's scale."""
    return torch.is_grad_enabled() and (x.requires_grad or isinstance(grid, LearnedGrid))
