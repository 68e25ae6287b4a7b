"""Less clipping where there are codes to spare: for networks that look for what is rare, such as detectors.

Above 6 bits the error counts to the third power, and samples are pooled halfway between their average and
their largest, since what matters may be in few of them. At 6 bits and below rounding decides: least squares,
and the average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from videoquant.ranges.estimators.base import MANY, Array, Estimator, Pooling
from videoquant.ranges.estimators.least_power import LeastPower
from videoquant.ranges.estimators.mse import MSE
from videoquant.ranges.grid import Range


@dataclass(frozen=True)
class ByWidth(Estimator):
    """`LeastPower` at 7 and 8 bits, `MSE` below; residuals together with the frame (`votes_for_frame`)."""

    word: ClassVar[str] = "by-width"
    clips_weights: ClassVar[bool] = True
    votes_for_frame: ClassVar[bool] = True

    def measure(self, x: Array, bits: int, symmetric: bool) -> Range:
        return _of(bits).measure(x, bits, symmetric)

    def pooling(self, bits: int) -> Pooling:
        return "halfway" if bits >= MANY else "mean"

    def require(self) -> None:
        MSE().require()


def _of(bits: int) -> Estimator:
    return LeastPower(3.0) if bits >= MANY else MSE()
