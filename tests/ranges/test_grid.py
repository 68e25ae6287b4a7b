"""The grid against its own definition."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from videoquant.ranges.grid import Grid


def test_the_grid_of_the_method():
    grid = Grid.affine(-1.0, 3.0, 4)
    assert math.isclose(grid.scale, 4 / 15, rel_tol=1e-7)
    assert (grid.zero_point, grid.low, grid.high) == (4, 0, 15)
    assert Grid.symmetric(7.0, 4) == Grid(1.0, 0, -7, 7)


@given(st.floats(2.0**-60, 2.0**60, width=32), st.floats(0, 1.5), st.integers(2, 8), st.booleans())
def test_neither_the_threshold_nor_the_least_value_is_past_the_dense_cells(threshold, share, bits, symmetric):
    low = -threshold if symmetric else float(np.float32(-threshold * share))
    grid = Grid.dense(low, threshold, bits, symmetric)
    ends = np.array([threshold, max(low, -threshold)], np.float32)
    bottom, top = grid.cells
    assert ((ends <= np.float32(top)) & (ends >= np.float32(bottom))).all()
    # Nor is T much before the end of its cell.
    assert top <= threshold * (1 + 3e-7) or -low > 0
    assert Grid.dense(0.0, threshold, bits, symmetric).cells[1] <= threshold * (1 + 3e-7)


def test_values_far_below_the_threshold_do_not_move_the_zero_point():
    assert Grid.dense(-100.0, 1.0, 4, False) == Grid.dense(-1.0, 1.0, 4, False)
    assert Grid.dense(-1.0, 1.0, 4, False).zero_point == 8
