"""A range predicted from features of an earlier activation: A·φ + c, clamped (QPP)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import mul

import numpy as np
from numpy.typing import NDArray

from videoquant.quantizers.ranges import Range

# The features of the frame in hand, by the value they were taken of.
Seen = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Predictor:
    """The linear model of one quantizer's range.

    position: the value whose features it reads (a QPP). features: their names.
    slopes, intercepts: A and c, for the lower and the upper end. lows, highs: what each end is clamped to.
    average: the range that `Static` would have taken. quality: the mean squared error of the predictions,
        divided by that of the average, both on calibration samples left out of the fit one at a time; below 1
        is a gain.
    """

    position: str
    features: tuple[str, ...]
    slopes: tuple[tuple[float, ...], tuple[float, ...]]
    intercepts: tuple[float, float]
    lows: tuple[float, float]
    highs: tuple[float, float]
    average: Range
    quality: float

    def __call__(self, seen: Seen) -> Range:
        """The range, a ≤ 0 ≤ b."""
        # Plain floats: for a handful of numbers they take a quarter of the time of arrays.
        values = seen[self.position].tolist()
        low, high = (c + sum(map(mul, a, values)) for a, c in zip(self.slopes, self.intercepts, strict=True))
        return min(max(low, self.lows[0]), self.lows[1]), min(max(high, self.highs[0]), self.highs[1])
