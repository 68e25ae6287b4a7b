"""Range estimators, one file each. A new one is a file here, its line in `ESTIMATORS`, and its test."""

from videoquant.ranges.estimators.aciq import ACIQ
from videoquant.ranges.estimators.base import Estimator
from videoquant.ranges.estimators.minmax import MinMax
from videoquant.ranges.estimators.mse import MSE
from videoquant.ranges.estimators.quantile import Quantile
from videoquant.ranges.estimators.threshold import Threshold

# Those that a scheme can name, by their words. The first is the default.
ESTIMATORS: tuple[type[Estimator], ...] = (MSE, MinMax, ACIQ, Quantile)

__all__ = ["ACIQ", "ESTIMATORS", "MSE", "Estimator", "MinMax", "Quantile", "Threshold"]
