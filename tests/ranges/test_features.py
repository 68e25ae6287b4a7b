"""Features of an activation, against NumPy's own on the same elements."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.errors import SchemeError
from videoquant.ranges.features import PAPER_FEATURES, POOL, SAMPLES, choice, features, sample_steps


def test_the_pool_is_the_papers():
    assert len(POOL) == len(set(POOL)) == 49
    assert sum(name.startswith("q") for name in POOL) == 44
    assert set(PAPER_FEATURES) <= set(POOL) and choice(5) == PAPER_FEATURES and choice(6) is None


@given(st.integers(0, 10**6), st.sampled_from([(1, 3, 7, 5), (1, 8, 1, 1), (2, 40), (1, 1)]))
def test_features_of_a_small_activation_are_exact(seed, shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    values = np.sort(x.numpy().ravel())
    for name, value in zip(POOL, features(x.numpy(), POOL), strict=True):
        if name.startswith("q"):
            assert value == values[int(np.floor(float(name[1:]) * (len(values) - 1)))]
    moments = dict(zip(POOL, features(x.numpy(), POOL), strict=True))
    assert moments["max"] == values[-1] and moments["min"] == values[0]
    assert moments["absmax"] == np.abs(values).max()
    assert moments["mean"] == pytest.approx(values.mean(), abs=1e-6)
    assert moments["std"] == pytest.approx(values.std(), rel=1e-4, abs=1e-6)


def test_the_order_is_that_of_the_names():
    x = torch.randn(1, 4, 9, 9)
    names = ("max", "q0.9", "mean", "q0.1")
    assert features(x.numpy(), names).tolist() == [features(x.numpy(), (name,))[0] for name in names]


def test_a_large_activation_is_sampled_evenly():
    # A picture that brightens from left to right: an even sample sees its whole distribution.
    x = torch.linspace(0, 1, 1000).expand(1, 16, 500, 1000).contiguous(memory_format=torch.channels_last)
    found = dict(zip(PAPER_FEATURES, features(x.numpy(), PAPER_FEATURES), strict=True))
    assert x.numel() > 100 * SAMPLES
    assert found["q0.9"] == pytest.approx(0.9, abs=0.02)
    assert found["mean"] == pytest.approx(0.5, abs=0.02)
    layout = features(x.contiguous().numpy(), PAPER_FEATURES)
    assert layout == pytest.approx(features(x.numpy(), PAPER_FEATURES))  # the memory layout changes nothing


def test_a_constant_activation_has_features():
    assert features(torch.zeros(1, 3, 8, 8).numpy(), POOL).tolist() == [0.0] * 49


def test_an_unknown_feature_is_refused():
    with pytest.raises(SchemeError, match="unknown feature 'median'"):
        features(torch.zeros(1, 3).numpy(), ("median",))


@pytest.mark.parametrize("shape", [(1, 8, 400, 300), (1, 64, 90, 700), (1, 1, 3, 200_000)])
def test_the_sample_is_every_so_many_rows_and_columns(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    rows, columns, _ = sample_steps(shape)
    few = x[:, :, ::rows, ::columns]
    assert columns > 1 and few.numel() < 2 * SAMPLES
    assert features(x.numpy(), POOL).tolist() == features(few.contiguous().numpy(), POOL).tolist()
