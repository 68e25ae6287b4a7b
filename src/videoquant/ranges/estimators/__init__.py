"""Range estimators, one file each. A new one is a file here, its line in `ESTIMATORS`, and its test."""

from videoquant.ranges.estimators.aciq import ACIQ
from videoquant.ranges.estimators.base import Estimator, Pooling
from videoquant.ranges.estimators.by_width import ByWidth
from videoquant.ranges.estimators.least_power import LeastPower
from videoquant.ranges.estimators.minmax import MinMax
from videoquant.ranges.estimators.mse import MSE
from videoquant.ranges.estimators.quantile import Quantile
from videoquant.ranges.estimators.threshold import Threshold

# Those that a scheme can name, by their words. The first is the default.
ESTIMATORS: tuple[type[Estimator], ...] = (MSE, ByWidth, MinMax, ACIQ, Quantile, LeastPower)

__all__ = [
    "ACIQ",
    "ESTIMATORS",
    "MSE",
    "ByWidth",
    "Estimator",
    "LeastPower",
    "MinMax",
    "Pooling",
    "Quantile",
    "Threshold",
]
