"""Activation quantizers at run time: a tensor goes in, what its codes stand for comes out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.axes import FLOAT, DenseSparse, Uniform
from videoquant.quantizers.on_grid import fake_quantize, needs_gradient, steps
from videoquant.ranges.grid import Grid
from videoquant.simulate.quantized_tensor import QuantizedTensor, Represented, values_of

ADAPTIVE_WIDTHS = (0, 4, 8)


def as_array(x: Tensor) -> NDArray[np.float32]:
    """A tensor as NumPy has it: on the same memory, in the same layout, where it lies on the CPU."""
    array: NDArray[np.float32] = x.detach().numpy(force=True)
    return array


def represent(
    x: Tensor, grid: Grid | None, representation: Uniform | DenseSparse
) -> tuple[Represented, float | None]:
    """x̂, and the density of its sparse part; None where it has none. No grid: x itself."""
    if isinstance(representation, DenseSparse):
        return quantize_dense_sparse(x, grid)
    return (x if grid is None else quantize(x, grid)), None


def quantize(x: Tensor, grid: Grid) -> Represented:
    """x̂ as steps of the grid; as a tensor where a gradient passes through it, to x or to the grid's scale."""
    if needs_gradient(x, grid):
        return fake_quantize(x, grid)
    return QuantizedTensor(steps(x, grid), grid)


def quantize_dense_sparse(x: Tensor, grid: Grid | None) -> tuple[Represented, float]:
    """x̂ = D̂ + S: D̂ is x clipped and rounded to the grid, S = x − D̂ where |x| is above T (QPP).

    S is in 16-bit floating point, and zero elsewhere. T is where the grid's last cell ends (`Grid.dense`);
    S holds what lies below the first cell as well, so that elsewhere rounding leaves at most half a step.
    S is taken from what the codes say and not from the clipped value, so that the largest values are as
    exact as 16 bits are.
    Convolution is linear, so W∗x̂ = W∗D̂ + W∗S, an integer and a sparse floating-point convolution.
    Returns x̂ and the density: the share of elements of S that are not zero.
    """
    if grid is None:
        return x, 0.0
    low, threshold = grid.cells
    outside = (x > threshold) | (x < max(low, -threshold))
    dense = quantize(x, grid)
    largest = torch.finfo(torch.float16).max
    sparse = (x - values_of(dense)).mul_(outside).clamp(-largest, largest).half().float()
    density = float(outside.float().mean())
    return (replace(dense, sparse=sparse) if isinstance(dense, QuantizedTensor) else dense + sparse), density


def quantize_adaptive(
    residual: Tensor, grid: Grid | None, bits: int, tolerance: int
) -> tuple[Represented, dict[int, float]]:
    """Quantize a residual with the least bits per location that hold its codes (Dynamic-ResQ).

    residual: N×C×H×W (a location is a pixel) or N×…×C for linear layers (a location is a row).
    A location takes the least of 0, 4 and 8 bits (up to `bits`) at which no code of the `bits`-wide grid is
    clipped by more than `tolerance` steps. With tolerance 0 the result is that of `quantize`.
    Returns the residual's x̂ and the share of locations at each width.
    """
    if grid is None or bits == FLOAT:
        return residual, {FLOAT: 1.0}
    x = quantize(residual, grid)
    if isinstance(x, QuantizedTensor):
        return adapt(x, bits, tolerance)
    limit, shares = _limits(steps(residual.detach(), grid), bits, tolerance)
    if not tolerance:
        return x, shares
    limit *= grid.scale
    return torch.minimum(torch.maximum(x, -limit), limit), shares


def adapt(x: QuantizedTensor, bits: int, tolerance: int) -> tuple[QuantizedTensor, dict[int, float]]:
    """`quantize_adaptive` of a residual whose steps on the `bits`-wide grid are known."""
    limit, shares = _limits(x.steps, bits, tolerance)
    if not tolerance:  # no code exceeds its location's width
        return x, shares
    return QuantizedTensor(torch.minimum(torch.maximum(x.steps, -limit), limit), x.grid), shares


def _limits(found: Tensor, bits: int, tolerance: int) -> tuple[Tensor, dict[int, float]]:
    """The last code of each location's width, and the share of locations at each."""
    channels = 1 if found.dim() == 4 else -1
    # A location whose largest code is within a width's last code + tolerance fits that width.
    largest = torch.maximum(found.amax(channels, keepdim=True), found.amin(channels, keepdim=True).neg_())
    widths = [width for width in ADAPTIVE_WIDTHS if width < bits] + [bits]
    limit = torch.full_like(largest, last_code(bits))
    shares = dict.fromkeys(widths, 0.0)
    shares[bits] = 1.0
    for wider, width in zip(widths[:0:-1], widths[-2::-1], strict=True):
        fits = largest <= last_code(width) + tolerance
        limit[fits] = last_code(width)
        shares[width] = float(fits.float().mean())
        shares[wider] -= shares[width]
    return limit, shares


def last_code(width: int) -> int:
    """The largest code of a signed grid of this width; 0 bits hold only 0."""
    return 2 ** (width - 1) - 1 if width else 0
