"""The clip of least error: (a, b) = argmin Σ |Q(x; a, b) − x|^p, by search on a histogram.

The search tries `COARSE` clips, then `FINE` around the best; both ends of a signed tensor's asymmetric range
are tried together, then refined one after the other. The sums are PyTorch's: NumPy's, in float32 or float64,
picked another clip for three of a thousand random tensors, since errors near the least one are that close.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from videoquant.ranges.estimators.base import Array, extremes
from videoquant.ranges.grid import Range
from videoquant.torch_settings import plain_math

BINS = 2048  # of the histogram: 8 bins or more per step of an 8-bit grid
COARSE = 32  # candidate clips: half by ratio from 1% of the extreme, half evenly above 50%
FINE = 17  # candidates between the neighbours of the best of them
SAMPLES = 1 << 19  # the histogram counts at most about this many elements, evenly spaced in the tensor


@plain_math()  # an engine's stream calls it under whatever its user has set
def measure(array: Array, bits: int, symmetric: bool, power: float = 2.0) -> Range:
    """The range of one sample; see `Estimator.measure`. power: p, of the error."""
    x = torch.from_numpy(array)

    def errors(lows: Tensor | float, highs: Tensor | float) -> Tensor:
        return summed_errors(*bins, lows, highs, steps, power)

    low, high = extremes(array)
    if low == high == 0:
        return 0.0, 0.0
    if symmetric:
        limit = max(-low, high)
        bins, steps = histogram(x.abs(), 0.0, limit), 2**bits - 2
        best = limit * search(lambda r: errors(-r * limit, r * limit))
        return -best, best
    low, high = min(low, 0.0), max(high, 0.0)
    bins, steps = histogram(x, low, high), 2**bits - 1
    if low == 0:
        return 0.0, high * search(lambda r: errors(0.0, r * high))
    if high == 0:
        return low * search(lambda r: errors(r * low, 0.0)), 0.0
    # Both ends together first: one at a time they hold each other where few codes are left to share.
    shares = _coarse()
    lows = (
        low * torch.cat([torch.zeros(1, dtype=torch.float32, device="cpu"), shares[::2]])
    ).repeat_interleave(len(shares))
    highs = (high * shares).repeat(len(lows) // len(shares))
    best = int(errors(lows, highs).argmin())
    a, b = float(lows[best]), float(highs[best])
    b = high * _refine(lambda r: errors(a, r * high), b / high)
    a = low * _refine(lambda r: errors(r * low, b), a / low)
    return a, b


def search(errors: Callable[[Tensor], Tensor]) -> float:
    """The share of the extreme with the least error: the best of `COARSE`, then of what lies around it."""
    coarse = _coarse()
    return _refine(errors, float(coarse[errors(coarse).argmin()]))


def _refine(errors: Callable[[Tensor], Tensor], share: float) -> float:
    """The best share of `FINE` from the next smaller to the next larger coarse one; `share` is among them."""
    coarse = _coarse()
    below, above = coarse[coarse < share * 0.999], coarse[coarse > share * 1.001]
    ends = float(below[-1]) if len(below) else share, float(above[0]) if len(above) else share
    fine = torch.cat(
        [
            torch.linspace(*ends, FINE - 1, dtype=torch.float32, device="cpu"),
            torch.tensor([share], dtype=torch.float32, device="cpu"),
        ]
    )
    return float(fine[errors(fine).argmin()])


@cache
def _coarse() -> Tensor:
    ratios = torch.logspace(-2, math.log10(0.5), COARSE // 2, dtype=torch.float32, device="cpu")
    return torch.cat([ratios, torch.linspace(0.5, 1, COARSE // 2 + 1, dtype=torch.float32, device="cpu")[1:]])


def histogram(x: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Centres and counts of the bins, of at most about `SAMPLES` elements in memory order."""
    last = x.permute(0, *range(2, x.dim()), 1) if x.dim() == 4 else x  # channels last, as they lie
    flat = last.flatten()[:: _stride(x.numel())]
    counts = torch.histc(flat.float(), BINS, low, high)
    centres = low + (torch.arange(BINS, dtype=torch.float32, device="cpu") + 0.5) * ((high - low) / BINS)
    return centres, counts


def _stride(count: int) -> int:
    """A step through `count` elements that leaves about `SAMPLES`: a prime that does not divide `count`.

    So it has no factor in common with the channels, rows or columns, and meets all of each equally.
    """
    step = count // SAMPLES
    if step <= 1:
        return 1
    while count % step == 0 or any(step % n == 0 for n in range(2, math.isqrt(step) + 1)):
        step += 1
    return step


def summed_errors(
    centres: Tensor,
    counts: Tensor,
    lows: Tensor | float,
    highs: Tensor | float,
    steps: int,
    power: float = 2.0,
) -> Tensor:
    """Σ |error|^power over the histogram for each candidate range of `steps` steps, one number each."""
    lows, highs = (
        torch.as_tensor(end, dtype=torch.float32, device="cpu").view(-1, 1) for end in (lows, highs)
    )
    step = ((highs - lows) / steps).clamp_min(torch.finfo(torch.float32).tiny)
    zero_point = (-lows / step).round_()
    codes = (centres / step).round_()
    torch.minimum(torch.maximum(codes, -zero_point, out=codes), steps - zero_point, out=codes)
    errors = codes.mul_(step).sub_(centres)
    total: Tensor = (errors.square_() if power == 2 else errors.abs_().pow_(power)) @ counts
    return total
