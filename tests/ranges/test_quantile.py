"""The quantile estimator against plain definitions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.errors import SchemeError
from videoquant.ranges.estimators.quantile import Quantile, upper_quantile

tensors = st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=200).map(torch.tensor)


@given(tensors, st.floats(0.51, 1))
def test_quantile_equals_torch(x, alpha):
    expected = float(torch.quantile(x.double(), alpha))
    assert upper_quantile(x.numpy(), alpha) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("alpha", [0.51, 0.9, 0.99, 0.9997, 0.999999, 1.0])
@pytest.mark.parametrize("kind", ["random", "rising", "falling", "one channel", "mostly zero", "clustered"])
def test_quantile_of_a_large_array_is_exact(kind, alpha):
    count = 300_007
    values = np.random.default_rng(0).laplace(size=count).astype(np.float32)
    if kind in ("rising", "falling"):
        values = np.sort(values)[:: 1 if kind == "rising" else -1]
    elif kind == "one channel":  # the only large one of 64, which an even step could miss or only meet
        values[np.arange(count) % 64 != 3] *= 1e-3
    elif kind == "mostly zero":
        values[: count - 50] = 0
    elif kind == "clustered":
        values[1000:1400] += 100
    values = np.ascontiguousarray(values)
    rank = alpha * (count - 1)
    order = np.sort(values).astype(np.float64)
    low, high = order[math.floor(rank)], order[min(math.floor(rank) + 1, count - 1)]
    assert upper_quantile(values, alpha) == low + (high - low) * (rank - math.floor(rank))


def test_quantile_of_a_signed_tensor_cuts_both_ends():
    x = torch.linspace(-1, 1, 2001)
    assert Quantile(0.9).measure(x.numpy(), 4, False) == pytest.approx((-0.8, 0.8), abs=1e-6)
    assert Quantile(0.9).measure(x.numpy(), 4, True) == pytest.approx((-0.9, 0.9), abs=1e-3)


@pytest.mark.parametrize("alpha", [0.5, 1.01, 0.0, float("nan")])
def test_alpha_out_of_range_is_refused(alpha):
    with pytest.raises(SchemeError, match="α must be above"):
        Quantile(alpha)
