"""The fit of range predictors: exact where it can be, the average where nothing can be learnt."""

import numpy as np
import pytest
import sklearn.linear_model  # noqa: F401 (it takes seconds, which would be the first example's)
from hypothesis import given
from hypothesis import strategies as st

from videoquant.calibration.predictors import average_errors, fit, fit_linear
from videoquant.ranges.features import PAPER_FEATURES


def random(seed, count=40):
    generator = np.random.default_rng(seed)
    return generator, generator.uniform(1, 2, (count, 5))


def predictor(features, ranges):
    return fit("x", PAPER_FEATURES, features, ranges)


@given(st.integers(0, 10**6))
def test_a_linear_range_is_found(seed):
    generator, features = random(seed)
    slopes = generator.uniform(0.1, 1, (2, 5))
    ranges = features @ slopes.T + [0.0, 1.0]
    ranges[:, 0] *= -1
    found = predictor(features, ranges)
    assert found.quality < 1e-3
    for sample, (low, high) in zip(features, ranges, strict=True):
        assert found({"x": sample}) == pytest.approx((low, high), rel=1e-2)
    assert found.average == pytest.approx(ranges.mean(0))


@given(st.integers(0, 10**6))
def test_noise_is_hardly_worse_than_the_average(seed):
    generator, features = random(seed)
    ranges = np.stack([np.zeros(40), generator.uniform(2, 3, 40)], 1)
    assert predictor(features, ranges).quality < 1.1


def test_errors_are_those_of_samples_left_out():
    generator, features = random(3, 20)
    target = (features @ [1, 2, 3, 4, 5] + generator.normal(size=20))[:, None]
    squares, averages = [], []
    for i in range(20):
        kept = np.arange(20) != i
        plain, *_ = np.linalg.lstsq(np.c_[features[kept], np.ones(19)], target[kept], rcond=None)
        squares.append((target[i] - np.r_[features[i], 1] @ plain) ** 2)
        averages.append((target[i] - target[kept].mean()) ** 2)
    errors = fit_linear(features, target)[2]
    # Shrinkage is chosen for the least of them, and none is among the choices.
    assert errors[0] <= np.mean(squares) * 1.001
    assert errors[0] > np.mean(squares) * 0.5
    assert average_errors(target) == pytest.approx(np.mean(averages))


def test_predictions_stay_near_what_calibration_saw():
    _, features = random(0)
    ranges = np.stack([-features[:, 0], 2 * features[:, 0]], 1)
    found = predictor(features, ranges)
    low, high = found({"x": np.full(5, 1e6)})
    assert low == pytest.approx(ranges[:, 0].min() * 1.25)
    assert high == pytest.approx(ranges[:, 1].max() * 1.25)
    low, high = found({"x": np.full(5, -1e6)})
    assert low == pytest.approx(ranges[:, 0].max() / 1.25)
    assert high == pytest.approx(ranges[:, 1].min() / 1.25)


@pytest.mark.parametrize("constant", ["features", "ranges", "both"])
def test_what_does_not_vary_gives_the_average(constant):
    generator, features = random(1)
    ranges = np.stack([np.zeros(40), generator.uniform(2, 3, 40)], 1)
    if constant != "ranges":
        features[:] = 0.5
    if constant != "features":
        ranges[:] = (0, 2.5)
    found = predictor(features, ranges)
    assert found({"x": features[0]}) == pytest.approx((0, ranges[:, 1].mean()))
    assert np.isfinite(found.quality)


def test_a_range_that_is_sometimes_zero_never_becomes_zero():
    _, features = random(2)
    ranges = np.stack([np.zeros(40), np.where(features[:, 0] > 1.5, features[:, 0], 0)], 1)
    average = ranges[:, 1].mean()
    assert predictor(features, ranges)({"x": np.zeros(5)})[1] == pytest.approx(average / 100)


def test_both_ends_of_a_threshold_are_exactly_alike():
    generator, features = random(5)
    threshold = features @ generator.uniform(0.1, 1, 5)
    found = predictor(features, np.stack([-threshold, threshold], 1))
    for sample in features:
        low, high = found({"x": sample})
        assert low == -high
