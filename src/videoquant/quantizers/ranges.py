"""Range estimators: from a tensor and a bit-width to the range (a, b) of its grid, a ≤ 0 ≤ b.

A range is measured per sample. `symmetric=True` asks for (−c, c), for residuals and weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.errors import SchemeError

Range = tuple[float, float]

BINS = 2048  # histogram of the MSE search: 8 bins or more per step of an 8-bit grid
COARSE = 32  # candidate clips of the MSE search: half by ratio from 1% of the extreme, half evenly above 50%
FINE = 17  # candidates between the neighbours of the best of them
TAIL_SAMPLES = 1 << 14  # elements that say where an upper quantile lies
SAMPLES = 1 << 19  # the histogram counts at most about this many elements, evenly spaced in the tensor


@dataclass(frozen=True)
class MinMax:
    """The extremes of the tensor: nothing is clipped."""

    def measure(self, x: Tensor, bits: int, symmetric: bool) -> Range:
        return _around_zero(*_extremes(x), symmetric)


@dataclass(frozen=True)
class Quantile:
    """The α-quantile above and, where x has negative values, the (1 − α)-quantile below (QPP A.1).

    alpha: 0.5 < α ≤ 1. Ranks between two elements are interpolated linearly, as `torch.quantile` does.
    Symmetric: the α-quantile of |x|.
    """

    alpha: float = 0.9997

    def __post_init__(self) -> None:
        if not 0.5 < self.alpha <= 1:
            raise SchemeError(f"quantile={self.alpha:g}: α must be above 0.5 and at most 1")
        object.__setattr__(self, "alpha", float(self.alpha))

    def measure(self, x: Tensor, bits: int, symmetric: bool) -> Range:
        values = _values(x)
        if symmetric:
            limit = max(0.0, upper_quantile(np.abs(values), self.alpha))
            return -limit, limit
        low = -upper_quantile(-values, self.alpha) if values.min() < 0 else 0.0
        return _around_zero(low, upper_quantile(values, self.alpha), symmetric)


@dataclass(frozen=True)
class MSE:
    """The clip that minimises the mean squared error of the quantized tensor, found by search.

    The search tries `COARSE` clips, then `FINE` around the best, on a histogram of `BINS` bins; both ends of
    a signed tensor's asymmetric range are tried together, then refined one after the other.
    """

    def measure(self, x: Tensor, bits: int, symmetric: bool) -> Range:
        x = x.detach()
        low, high = _extremes(x)
        if low == high == 0:
            return 0.0, 0.0
        if symmetric:
            limit = max(-low, high)
            bins = _histogram(x.abs(), 0.0, limit)
            best = limit * _search(lambda r: _squared_errors(*bins, -r * limit, r * limit, 2**bits - 2))
            return -best, best
        low, high = min(low, 0.0), max(high, 0.0)
        bins, steps = _histogram(x, low, high), 2**bits - 1
        if low == 0:
            return 0.0, high * _search(lambda r: _squared_errors(*bins, 0.0, r * high, steps))
        if high == 0:
            return low * _search(lambda r: _squared_errors(*bins, r * low, 0.0, steps)), 0.0
        # Both ends together first: one at a time they hold each other where few codes are left to share.
        shares = _coarse()
        lows = (
            low * torch.cat([torch.zeros(1, dtype=torch.float32, device="cpu"), shares[::2]])
        ).repeat_interleave(len(shares))
        highs = (high * shares).repeat(len(lows) // len(shares))
        best = int(_squared_errors(*bins, lows, highs, steps).argmin())
        a, b = float(lows[best]), float(highs[best])
        b = high * _refine(lambda r: _squared_errors(*bins, a, r * high, steps), b / high)
        a = low * _refine(lambda r: _squared_errors(*bins, r * low, b, steps), a / low)
        return a, b


@dataclass(frozen=True)
class ACIQ:
    """The analytic clip of ACIQ (Banner et al., NeurIPS 2019) for a Laplace or a Gaussian tensor.

    The prior is the one whose ratio of mean absolute to standard deviation is closer to the tensor's:
    1/√2 for Laplace, √(2/π) for Gaussian. A non-negative tensor (after a ReLU) is taken as the positive half
    of a distribution around zero, so that its k bits are those of k + 1 on both sides.
    """

    def measure(self, x: Tensor, bits: int, symmetric: bool) -> Range:
        x = x.detach()
        low, high = _extremes(x)
        one_sided = low >= 0 and not symmetric
        values = x[x > 0] if one_sided else x
        if values.numel() == 0 or low == high:
            return _around_zero(low, high, symmetric)
        mean = 0.0 if one_sided or symmetric else float(values.mean())
        deviation = float((values - mean).abs().mean())
        sigma = float((values - mean).square().mean().sqrt())
        width = bits + 1 if one_sided else bits
        if deviation < (math.sqrt(0.5) + math.sqrt(2 / math.pi)) / 2 * sigma:
            clip = laplace_clip(width) * deviation
        else:
            clip = gaussian_clip(width) * sigma
        return _around_zero(max(low, mean - clip), min(high, mean + clip), symmetric)


@dataclass(frozen=True)
class Threshold:
    """The T of Dense + Sparse: the (1 − density)-quantile of |x|, so that this share of elements is above it.

    The range ends at T and begins at −T, or where the tensor does if that is later: a tensor that is hardly
    negative (after a hard-swish) needs few codes there. Where nothing exceeds T, as after a ReLU6 that
    saturates more often than `density`, it ends later by half a step of a grid without a zero point,
    T·(1 + ½/last code): where there is no negative value T then is the last code itself (`Grid.dense`).
    """

    density: float

    def measure(self, x: Tensor, bits: int, symmetric: bool) -> Range:
        values = _values(x)
        sizes = np.abs(values)
        threshold = upper_quantile(sizes, 1 - self.density)
        if threshold >= sizes.max():
            threshold *= 1 + 0.5 / (2 ** (bits - symmetric) - 1)
        return (-threshold if symmetric else max(-threshold, min(0.0, float(values.min())))), threshold


Estimator = MinMax | Quantile | MSE | ACIQ | Threshold
ESTIMATORS = (MinMax, Quantile, MSE, ACIQ)  # those a scheme can name


@cache
def laplace_clip(bits: int) -> float:
    """The c that minimises 2e^(−c) + c²/(3·4^k), in units of the Laplace scale: 2.83 at 2 bits, 5.03 at 4."""
    return _root(lambda c: c / (3 * 4.0**bits) - math.exp(-c))


@cache
def gaussian_clip(bits: int) -> float:
    """The c that minimises the clipping and rounding error of a unit Gaussian: 1.71 at 2 bits, 2.55 at 4."""

    def slope(c: float) -> float:
        tail = c * math.erfc(c / math.sqrt(2)) - math.sqrt(2 / math.pi) * math.exp(-c * c / 2)
        return tail + c / (3 * 4.0**bits)

    return _root(slope)


def upper_quantile(values: NDArray[np.float32], alpha: float) -> float:
    """The α-quantile of a flat array, exact, without sorting it.

    An even sample says from where on the tail holds four times the share that is sought; only that tail is
    sorted, or everything where the sample misled.
    """
    count = len(values)
    rank = alpha * (count - 1)
    below = math.floor(rank)
    sample = np.sort(values[:: count // TAIL_SAMPLES | 1])  # an odd step meets all channels
    start = len(sample) - 16 - math.ceil(4 * (1 - alpha) * len(sample))
    tail = values[values >= sample[start]] if start > 0 else values
    tail = np.sort(tail if count - len(tail) <= below else values)
    first = below - (count - len(tail))
    low, high = float(tail[first]), float(tail[min(first + 1, len(tail) - 1)])
    return low + (high - low) * (rank - below)


def _values(x: Tensor) -> NDArray[np.float32]:
    """All elements, flat, in the order they lie in memory."""
    x = x.detach()
    if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):
        x = x.permute(0, 2, 3, 1)
    return x.numpy(force=True).reshape(-1)


def _extremes(x: Tensor) -> Range:
    """Minimum and maximum. NumPy's are vectorised where `torch.aminmax` walks through channels last."""
    values = _values(x)
    return float(values.min()), float(values.max())


def _root(slope: Callable[[float], float]) -> float:
    """Where an increasing function of the clip crosses zero, between 0 and 40."""
    low, high = 1e-6, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return (low + high) / 2


def _around_zero(low: float, high: float, symmetric: bool) -> Range:
    if symmetric:
        limit = max(-low, high, 0.0)
        return -limit, limit
    return min(low, 0.0), max(high, 0.0)


def _search(errors: Callable[[Tensor], Tensor]) -> float:
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


def _histogram(x: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
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


def _squared_errors(
    centres: Tensor, counts: Tensor, lows: Tensor | float, highs: Tensor | float, steps: int
) -> Tensor:
    """The squared error over the histogram for each candidate range of `steps` steps, one number each."""
    lows, highs = (
        torch.as_tensor(end, dtype=torch.float32, device="cpu").view(-1, 1) for end in (lows, highs)
    )
    step = ((highs - lows) / steps).clamp_min(torch.finfo(torch.float32).tiny)
    zero_point = (-lows / step).round_()
    codes = (centres / step).round_()
    torch.minimum(torch.maximum(codes, -zero_point, out=codes), steps - zero_point, out=codes)
    squares: Tensor = codes.mul_(step).sub_(centres).square_() @ counts
    return squares
