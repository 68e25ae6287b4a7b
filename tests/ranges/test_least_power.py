"""The clip of least error to a power."""

import numpy as np
import pytest

from videoquant.errors import SchemeError
from videoquant.ranges.estimators import MSE, LeastPower
from videoquant.schemes import Scheme

RANDOM = np.random.default_rng(0)
TAILED = (RANDOM.standard_normal(20000) ** 3).astype(np.float32)


def error(x, limit, bits, power):
    step = limit / (2 ** (bits - 1) - 1)
    codes = np.clip(np.rint(x / step), 1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1)
    return float((np.abs(codes * step - x) ** power).sum())


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0, 4.0])
@pytest.mark.parametrize("bits", [4, 8])
def test_no_clip_of_a_fine_ladder_has_a_clearly_lesser_error(power, bits):
    _, limit = LeastPower(power).measure(TAILED, bits, True)
    ladder = np.abs(TAILED).max() * np.linspace(0.01, 1, 400)
    assert error(TAILED, limit, bits, power) <= 1.02 * min(error(TAILED, c, bits, power) for c in ladder)


def test_the_second_power_is_least_squares_and_higher_ones_clip_less():
    for symmetric in (False, True):
        assert LeastPower(2).measure(TAILED, 4, symmetric) == MSE().measure(TAILED, 4, symmetric)
    ends = [LeastPower(power).measure(TAILED, 8, True)[1] for power in (1, 2, 3, 4)]
    assert ends == sorted(ends) and ends[0] < ends[-1]


def test_powers_that_mean_nothing_are_refused():
    for power in (0.5, 9, float("nan")):
        with pytest.raises(SchemeError, match="the power of the error is 1 to 8"):
            LeastPower(power)
    with pytest.raises(SchemeError, match="holds no power between 1 and 8"):
        Scheme.parse("w8a8 lp=three")
