"""Quantiles: b = q_α(x), a = q_{1−α}(x) (QPP supplement, A.1); symmetric, c = q_α(|x|)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from videoquant.errors import SchemeError
from videoquant.ranges.estimators.base import Array, Estimator, around_zero, values
from videoquant.ranges.grid import Range

TAIL_SAMPLES = 1 << 14  # elements that say where an upper quantile lies


@dataclass(frozen=True)
class Quantile(Estimator):
    """The α-quantile above and, where x has negative values, the (1 − α)-quantile below (QPP A.1).

    alpha: 0.5 < α ≤ 1. Ranks between two elements are interpolated linearly, as `torch.quantile` does.
    Symmetric: the α-quantile of |x|.
    """

    word: ClassVar[str] = "quantile"
    expects: ClassVar[str] = "number between 0.5 and 1"
    alpha: float = 0.9997

    def __post_init__(self) -> None:
        if not 0.5 < self.alpha <= 1:
            raise SchemeError(f"quantile={self.alpha:g}: α must be above 0.5 and at most 1")
        object.__setattr__(self, "alpha", float(self.alpha))

    def measure(self, x: Array, bits: int, symmetric: bool) -> Range:
        flat = values(x)
        if symmetric:
            limit = max(0.0, upper_quantile(np.abs(flat), self.alpha))
            return -limit, limit
        low = -upper_quantile(-flat, self.alpha) if flat.min() < 0 else 0.0
        return around_zero(low, upper_quantile(flat, self.alpha), symmetric)

    @classmethod
    def from_text(cls, value: str) -> Quantile:
        return cls(float(value))

    def __str__(self) -> str:
        return f"quantile={self.alpha!r}"


def upper_quantile(values: Array, alpha: float) -> float:
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
