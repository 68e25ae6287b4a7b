"""Bit-widths find their precision; impossible values are named."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.costs.chips import ENERGY, ROUND
from videoquant.costs.chip import Chip, Energy
from videoquant.errors import ChipError

widths = st.integers(1, 32)
peaks = st.dictionaries(st.tuples(widths, widths), st.floats(1, 1e15), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [((8, 8), (8, 8)), ((4, 8), (8, 8)), ((3, 2), (4, 4)), ((5, 2), (8, 8)), ((32, 8), (32, 32))],
)
def test_next_higher_precision(wanted, found):
    assert ROUND.precision(*wanted) == found


def test_nothing_higher():
    fixed = Chip("fixed", "", {(8, 8): 1e9}, (1, 1), 1, 1)
    assert fixed.precision(32, 32) is None
    assert np.isnan(fixed.seconds_per_mac(np.array(32), np.array(32)))


@given(peaks, widths, widths)
def test_precision_holds_both_widths_and_none_that_does_is_faster(peak, weights, activations):
    chip = Chip("drawn", "", peak, (1, 1), 1, 1)
    able = [p for p in peak if p[0] >= weights and p[1] >= activations]
    found = chip.precision(weights, activations)
    assert (found is None) == (not able)
    seconds = float(chip.seconds_per_mac(np.array(weights), np.array(activations)))
    assert np.isnan(seconds) if found is None else seconds == 1 / max(peak[p] for p in able)


def test_zero_bits_cost_nothing():
    assert ROUND.seconds_per_mac(np.array(8), np.array(0)) == 0
    assert ROUND.joules_per_mac(np.array(8), np.array(0)) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peak": {}}, "no precision"),
        ({"peak": {(8, 8): 0.0}}, "peak of w8a8 is 0"),
        ({"buffer": -1}, "buffer is -1; it must be above 0"),
        ({"bandwidth": float("nan")}, "bandwidth is nan"),
        ({"array": (0, 8)}, "array is 0"),
        ({"overhead": -1e-6}, "overhead is -1e-06; it must be 0 or more"),
        ({"sparse_cost": 0}, "sparse cost is 0"),
        ({"energy": replace(ENERGY, byte=-1)}, "energy per byte is -1"),
        ({"energy": Energy({(8, 8): 1e-12}, 0, 0)}, "w4a4 needs both a peak and an energy"),
    ],
)
def test_impossible_values_are_named(change, message):
    with pytest.raises(ChipError, match=message):
        replace(ROUND, **change)
