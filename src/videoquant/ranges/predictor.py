"""A range predicted from features of an earlier activation: A·φ + c, clamped (QPP)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from videoquant.ranges.grid import Range

# The features of the frame in hand, by the value they were taken of.
Features = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Predictor:
    """The linear model of one quantizer's range.

    position: the value whose features it reads (a QPP). features: their names.
    slopes, intercepts: A and c, for the lower and the upper end. lows, highs: what each end is clamped to:
        sizes from the smallest in calibration / 1.25, but no less than 1% of the average, to 1.25 · largest.
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

    def __call__(self, seen: Features) -> Range:
        """The range, a ≤ 0 ≤ b."""
        # Plain floats: for a handful of numbers they take a quarter of the time of arrays.
        values = seen[self.position].tolist()
        low, high = (_clamped(*self.end(end), values) for end in (0, 1))
        return low, high

    def end(self, end: int) -> tuple[tuple[float, ...], float, float, float]:
        """Of the lower (0) or the upper end (1): slopes, intercept, and what it is clamped to."""
        least, most = (self.lows, self.highs)[end]
        return self.slopes[end], self.intercepts[end], least, most


def _clamped(
    slopes: Sequence[float], intercept: float, least: float, most: float, values: Sequence[float]
) -> float:
    total = 0.0  # not `sum`, which from Python 3.12 on does not round after each addition
    for slope, value in zip(slopes, values, strict=True):
        total += slope * value
    return min(max(intercept + total, least), most)
