"""Min–max: a = min(0, min x), b = max(0, max x)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from videoquant.ranges.estimators.base import Array, Estimator, around_zero, extremes
from videoquant.ranges.grid import Range


@dataclass(frozen=True)
class MinMax(Estimator):
    """The extremes of the tensor: nothing is clipped."""

    word: ClassVar[str] = "minmax"

    def measure(self, x: Array, bits: int, symmetric: bool) -> Range:
        return around_zero(*extremes(x), symmetric)
