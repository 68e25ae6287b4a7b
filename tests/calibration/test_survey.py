"""The placement of predictors, against every placement there is; the choice of features."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoquant.calibration.survey import best_placement, select
from videoquant.quantizers.features import POOL


def total(errors, chosen):
    """The error of a placement by its definition."""
    return sum(
        errors[[c for c in chosen if np.isfinite(errors[c, p])][-1], p] for p in range(errors.shape[1])
    )


@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 5))
def test_the_placement_is_the_best_of_all(seed, candidates, count):
    generator = np.random.default_rng(seed)
    quantizers = candidates + int(generator.integers(0, 3))
    errors = generator.uniform(0, 1, (candidates, quantizers))
    starts = np.sort(generator.integers(0, quantizers, candidates))
    starts[0] = 0
    for row, start in zip(errors, starts, strict=True):
        row[:start] = np.inf
    chosen = best_placement(errors, 0, count)
    assert chosen[0] == 0 and len(chosen) <= count
    every = [
        total(errors, (0, *more))
        for size in range(min(count, candidates))
        for more in itertools.combinations(range(1, candidates), size)
    ]
    assert total(errors, chosen) == pytest.approx(min(every))


def test_features_that_explain_the_ranges_are_chosen():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, len(POOL)))
    wanted = [POOL.index(name) for name in ("q0.5", "std", "max")]
    ends = features[:, wanted] @ generator.uniform(1, 2, (3, 4))
    ranges = [np.stack([-ends[:, i], ends[:, i + 1]], 1) for i in (0, 2)]
    assert set(select(features, ranges, 3)) == {"q0.5", "std", "max"}
    assert select(features, ranges, 49) == POOL


def test_features_that_do_not_vary_are_chosen_last():
    generator = np.random.default_rng(1)
    features = generator.normal(size=(60, len(POOL)))
    features[:, ::2] = 1.0
    chosen = select(features, [generator.normal(size=(60, 2))], 24)
    assert not {POOL.index(name) % 2 for name in chosen} & {0}
