"""The placement of predictors, against every placement there is; the choice of features."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoquant.calibration.range_fit import RangeFit
from videoquant.calibration.survey import best_placement, place, select
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.ranges.features import PAPER_FEATURES, POOL
from videoquant.simulate.parameters import FeatureSpec


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


def test_what_explains_one_end_alone_does_not_outvote_what_explains_all():
    """Shares of variance are averaged, not F: that of an end explained to the last digit knows no bound."""
    generator = np.random.default_rng(2)
    features = generator.normal(size=(60, len(POOL)))
    exact, broad = features[:, POOL.index("std")], features[:, POOL.index("mean")]
    ends = [exact + 1e-6 * generator.normal(size=60)]
    ends += [broad + 0.5 * generator.normal(size=60) for _ in range(3)]
    ranges = [np.stack(ends[:2], 1), np.stack(ends[2:], 1)]
    assert select(features, ranges, 1) == ("mean",)


@pytest.mark.parametrize("scale", [1, 100, 1e-3])
def test_positions_do_not_depend_on_the_scale_of_a_quantizers_range(scale):
    """Of two places for a second predictor, each suits one quantizer: the one that gains more decides."""
    generator = np.random.default_rng(3)
    names = ["a", "b", "c"]
    values = {name: generator.normal(size=(40, len(PAPER_FEATURES))) for name in names}
    network = SimpleNamespace(
        input="x", nodes=[SimpleNamespace(name=n) for n in ("a", "b", "c", "one", "other")]
    )
    one, other = QuantizationPoint("p", 4, None), QuantizationPoint("q", 4, None)

    def ranges(
        value, size, share
    ):  # samples × 2: of this size on average, a share of it explained by a value
        high = size * (1 + share * values[value][:, 0] + 0.001 * generator.normal(size=40))
        return np.stack([np.zeros(40), high], 1)

    walk = SimpleNamespace(
        points={"one": one, "other": other},
        fit=RangeFit({name: FeatureSpec(PAPER_FEATURES, PAPER_FEATURES) for name in names}),
        features={(name, False): values[name] for name in names},
        ranges={(one, False): ranges("b", 10.0, 0.05), (other, False): ranges("c", 5 * scale, 0.1)},
    )
    assert place(network, walk, "a", names, [one, other], 2) == ("a", "c")
