"""What clips less where there are codes to spare."""

import numpy as np
import pytest

from videoquant.ranges.estimators import MSE, ByWidth, LeastPower
from videoquant.schemes import Scheme

X = (np.random.default_rng(0).standard_normal(5000) ** 3).astype(np.float32)


@pytest.mark.parametrize("bits", range(2, 9))
def test_it_is_one_of_the_others_at_each_width(bits):
    same, pooling = (LeastPower(3), "halfway") if bits > 6 else (MSE(), "mean")
    for symmetric in (False, True):
        assert ByWidth().measure(X, bits, symmetric) == same.measure(X, bits, symmetric)
    assert ByWidth().pooling(bits) == Scheme.parse("w8a8 by-width").pooling_of(bits) == pooling


def test_a_schemes_own_pooling_comes_first():
    assert Scheme.parse("w8a8 by-width pool=largest").pooling_of(8) == "largest"
    assert Scheme.parse("w8a8 mse").pooling_of(8) == Scheme.parse("w8a8 ds=1%").pooling_of(8) == "mean"


@pytest.mark.parametrize("bits", range(2, 9))
def test_least_squares_asks_the_layers_where_there_are_codes_to_spare(bits):
    assert Scheme.parse("w8a8").pooling_of(bits) == ("by-layers" if bits > 6 else "mean")
