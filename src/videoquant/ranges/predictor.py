"""A range predicted from features of an earlier activation: A·φ + c, clamped (QPP)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.errors import NetworkError
from videoquant.ranges.features import FIRST_SAMPLES, POOL
from videoquant.ranges.grid import LARGEST, Range
from videoquant.typed_json import read

# The features of the frame in hand, by the value they were taken of.
Features = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Predictor:
    """The linear model of one quantizer's range.

    position: the value whose features it reads (a QPP).
    features: their names.
    slopes, intercepts: A and c, for the lower and the upper end.
    lows, highs: what each end is clamped to: sizes from the smallest in calibration / 1.25, but no less than
        1% of the average, to 1.25 · largest.
    average: the range that `Static` would have taken.
    quality: the mean squared error of the predictions, divided by that of the average, both on calibration
        samples left out of the fit one at a time; below 1 is a gain.
    samples: about how many elements its features are taken of.
    """

    position: str
    features: tuple[str, ...]
    slopes: tuple[tuple[float, ...], tuple[float, ...]]
    intercepts: tuple[float, float]
    lows: tuple[float, float]
    highs: tuple[float, float]
    average: Range
    quality: float
    samples: int = FIRST_SAMPLES

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


def predictor_from_json(stored: Any, what: str) -> Predictor:
    """A predictor of ranges that `Predictor.__call__` can run. Raises `NetworkError` for anything else."""
    predictor: Predictor = read(Predictor, stored, what, NetworkError)
    for name in predictor.features:
        if name not in POOL:
            raise NetworkError(f"{what}: predicted from the feature {name!r}, which is unknown")
    if predictor.samples < 1:
        raise NetworkError(f"{what}: predicted from {predictor.samples} elements")
    for end in (0, 1):
        slopes, intercept, least, most = predictor.end(end)
        if len(slopes) != len(predictor.features) or not slopes:
            raise NetworkError(f"{what}: {len(slopes)} slopes for {len(predictor.features)} features")
        if max(map(abs, (intercept, least, most, *slopes, *predictor.average))) > LARGEST / 2 or least > most:
            raise NetworkError(f"{what}: a predicted range between {least:g} and {most:g}")
    low, high = predictor.lows, predictor.highs
    if low[1] > 0 or high[0] < 0 or (low[0] == 0 == high[1]):
        raise NetworkError(f"{what}: a predicted range must reach from zero or below to zero or above")
    return predictor
