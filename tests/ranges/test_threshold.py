"""The threshold of Dense + Sparse: the share above it is the density."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.ranges.estimators.threshold import Threshold


@given(st.integers(0, 10**6), st.floats(0.001, 0.5), st.booleans())
def test_the_share_above_the_threshold_is_the_density(seed, density, symmetric):
    x = torch.randn(5000, generator=torch.Generator().manual_seed(seed))
    x = x if symmetric else x.abs()
    low, high = Threshold(density).measure(x.numpy(), 4, symmetric)
    assert low == (-high if symmetric else 0)
    assert float((x.abs() > high).float().mean()) == pytest.approx(density, abs=1 / 5000 + 1e-9)
