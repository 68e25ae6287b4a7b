"""Fit the predictors of QPP: from features of an early activation to the range of a later one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.errors import needs_extra
from videoquant.ranges.features import SAMPLES
from videoquant.ranges.predictor import Predictor

# How strongly ridge regression may pull slopes towards zero, from hardly at all to completely; leave-one-out
# errors choose. Where features tell nothing about a range, its prediction so becomes the static average.
SHRINKAGES = np.logspace(-4, 5, 19)
LEAST_SAMPLES = 4  # that a predictor is fitted on; shrinkage carries it where features are more than those
MARGIN = 1.25  # predictions stay within the calibration's extremes, widened by this factor
LEAST = 0.01  # and, for values that may be zero, above this share of the average


def fit(
    position: str,
    names: tuple[str, ...],
    features: NDArray[np.float64],
    ranges: NDArray[np.float64],
    samples: int = SAMPLES,
) -> Predictor:
    """The predictor of one quantizer.

    features: samples × features of the value `position`.
    ranges: samples × 2, measured on the same samples.
    samples: about how many elements each sample's features are taken of.
    """
    slopes, intercepts, errors = fit_linear(features, ranges)
    if (ranges[:, 0] == -ranges[:, 1]).all():  # one threshold ±T: both ends exactly alike
        slopes[0], intercepts[0] = -slopes[1], -intercepts[1]
    average = ranges.mean(0)
    highest, lowest = _bounds(-ranges[:, 0])
    return Predictor(
        position,
        names,
        (tuple(slopes[0].tolist()), tuple(slopes[1].tolist())),
        (float(intercepts[0]), float(intercepts[1])),
        (-lowest, -highest),
        _bounds(ranges[:, 1]),
        (float(average[0]), float(average[1])),
        float(errors.sum() / max(average_errors(ranges).sum(), np.finfo(float).tiny)),
        samples,
    )


def fit_linear(
    features: NDArray[np.float64], targets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Shrunken least squares from features (samples × k) to targets (samples × m).

    Returns slopes (m × k), intercepts (m), and the mean squared errors (m) of predicting each sample by the
    fit to all others. A feature that does not vary has slopes of 0, and so has a target.
    """
    centre, spread = features.mean(0), features.std(0)
    usable = spread > 1e-9 * np.maximum(np.abs(centre), 1e-9)
    scale = targets.std(0)
    varying = scale > 1e-9 * np.maximum(np.abs(targets).max(0), 1e-9)
    slopes = np.zeros((targets.shape[1], features.shape[1]))
    errors = average_errors(targets)
    if usable.any() and varying.any():
        with needs_extra("predicted ranges"):  # imported here, since it takes as long as PyTorch
            from sklearn.linear_model import RidgeCV
        x = (features[:, usable] - centre[usable]) / spread[usable]
        model: Any = RidgeCV(SHRINKAGES, alpha_per_target=True)  # type: ignore[no-untyped-call]
        model.fit(x, targets[:, varying] / scale[varying])
        coefficients = np.atleast_2d(model.coef_) * scale[varying, None] / spread[usable]
        slopes[np.ix_(varying, usable)] = coefficients
        errors[varying] = -np.atleast_1d(model.best_score_) * scale[varying] ** 2
    return slopes, targets.mean(0) - slopes @ centre, errors


def average_errors(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean squared errors (m) of predicting each sample by the average of all others."""
    count = len(targets)
    errors: NDArray[np.float64] = targets.var(0) * (count / max(1, count - 1)) ** 2
    return errors


def _bounds(sizes: NDArray[np.float64]) -> tuple[float, float]:
    """The least and the largest size of one end of a range that a prediction may have."""
    return max(float(sizes.min()) / MARGIN, LEAST * float(sizes.mean())), float(sizes.max()) * MARGIN
