"""The uniform grid: a scale, a zero point and a span of codes (method: QPP supplement A.1–A.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from videoquant.errors import NetworkError

Range = tuple[float, float]  # (a, b) with a ≤ 0 ≤ b

# Below this a scale's reciprocal leaves float32; a range that small holds nothing but zeros.
SMALLEST_SCALE = 1e-30
LARGEST = float(np.finfo(np.float32).max)
CODES = 2**8  # of the widest grid


@dataclass(frozen=True)
class Grid:
    """q = clip(round(x / scale) + zero_point, low, high), x̂ = (q − zero_point) · scale; half to even.

    scale: a float32 value.
    zero_point: the code of 0.
    low, high: the first and the last code.

    As PyTorch's own operators, x / scale is computed as x times the float32 reciprocal of scale.
    """

    scale: float
    zero_point: int
    low: int
    high: int

    @classmethod
    def affine(cls, low: float, high: float, bits: int) -> Grid:
        """2^bits unsigned codes over a range low ≤ 0 ≤ high: s = (b − a)/(2^k − 1), z = round(−a/s)."""
        last = 2**bits - 1
        scale = _scale((high - low) / last)
        return cls(scale, min(last, max(0, round(-low / scale))), 0, last)

    @classmethod
    def symmetric(cls, limit: float, bits: int) -> Grid:
        """The signed grid of codes ±(2^(bits−1) − 1) over ±limit: s = max|x| / (2^(k−1) − 1)."""
        last = 2 ** (bits - 1) - 1
        return cls(_scale(limit / last), 0, -last, last)

    @classmethod
    def dense(cls, low: float, threshold: float, bits: int, symmetric: bool) -> Grid:
        """The dense part of Dense + Sparse: its last cell, half a step past the last code, ends at T.

        Values up to T are so within half a step of a code.
        low: where values begin, 0 or negative; below −T they are sparse.
        symmetric: codes ±(2^(bits−1) − 1).

        Unsigned, the zero point is the smallest at which the first cell begins at `low` or before.
        In float32 neither T itself nor `low` is past its cell, so that of many values equal to T none is
        sparse: where the nearest scale falls short of them, the next one is taken.
        """
        if symmetric:
            last = 2 ** (bits - 1) - 1
            return cls(_reaching(threshold, last + 0.5), 0, -last, last)
        last = 2**bits - 1
        low = max(low, -threshold)
        zero_point = next(z for z in range(last) if (z + 0.5) * threshold >= -low * (last + 0.5 - z))
        scale = max(_reaching(threshold, last + 0.5 - zero_point), _reaching(-low, zero_point + 0.5))
        return cls(scale, zero_point, 0, last)

    @property
    def cells(self) -> tuple[float, float]:
        """Where the first cell begins and the last ends: between them a code is at most half a step away."""
        return (
            (self.low - self.zero_point - 0.5) * self.scale,
            (self.high - self.zero_point + 0.5) * self.scale,
        )

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest value that the grid can represent."""
        return (self.low - self.zero_point) * self.scale, (self.high - self.zero_point) * self.scale


def span(bits: int, symmetric: bool) -> tuple[int, int]:
    """The first and the last code of so many bits."""
    return (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if symmetric else (0, 2**bits - 1)


def check_scale(scale: float, what: str) -> None:
    """Raise `NetworkError` where a scale, its reciprocal or what it makes of codes leaves float32."""
    if not float(np.float32(SMALLEST_SCALE)) <= scale <= LARGEST / CODES:
        raise NetworkError(f"{what}: a scale is {scale:g}; it must be above {SMALLEST_SCALE:g} and finite")


def _scale(value: float) -> float:
    return float(np.float32(max(value, SMALLEST_SCALE)))


def _reaching(end: float, steps: float) -> float:
    """The float32 scale nearest to end / steps of which so many steps, in float32, reach `end`."""
    scale = np.float32(_scale(end / steps))
    if np.float32(steps) * scale < np.float32(end):
        scale = np.nextafter(scale, np.float32(np.inf))
    return float(scale)
