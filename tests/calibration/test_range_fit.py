"""What static ranges learn of what a pass saw."""

from types import SimpleNamespace

import numpy as np
import pytest

from videoquant.calibration.range_fit import RangeFit, Seen
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.ranges.estimators import MinMax
from videoquant.ranges.grid import Grid
from videoquant.ranges.sources import DynamicGrid, StaticGrid

POINT = QuantizationPoint("relu", 8, None)


def seen(ranges, shown=None, symmetric=False, blank=False, pooling="mean", sources=None):
    evidence = SimpleNamespace(blank=blank, unseen=[])
    shown = np.ones(len(ranges), bool) if shown is None else np.array(shown)
    ranges, sources = np.array(ranges, float), np.array(sources or [0] * len(ranges))
    return Seen(POINT, MinMax(), 8, symmetric, ranges, sources, pooling, shown, {}, evidence)


def test_the_grid_is_that_of_the_average_range_of_what_is_shown():
    found = RangeFit().source(seen([[-1, 2], [-3, 4], [-90, 90]], [True, True, False]))
    assert found == StaticGrid(Grid.affine(-2.0, 3.0, 8))


@pytest.mark.parametrize(
    ("pooling", "wanted"),
    [("mean", (-2, 3)), ("largest", (-3, 4)), ("halfway", (-2.5, 3.5)), ("together", (-2, 3))],
)
def test_samples_are_pooled_as_the_scheme_says(pooling, wanted):
    found = RangeFit().source(seen([[-1, 2], [-3, 4]], pooling=pooling))
    assert found == StaticGrid(Grid.affine(*wanted, 8))


def test_of_several_clips_the_widest_range_holds():
    ranges = [[-1, 20], [-1, 22], [-3, 4], [-4, 6], [-50, 90]]
    shown = [True, True, True, True, False]
    found = RangeFit().source(seen(ranges, shown, sources=[0, 0, 1, 1, 1]))
    assert found == StaticGrid(Grid.affine(-3.5, 21.0, 8))


def test_residuals_have_a_symmetric_grid():
    assert RangeFit().source(seen([[-2, 2], [-4, 4]], symmetric=True)) == StaticGrid(Grid.symmetric(3.0, 8))


def test_where_no_frame_shows_a_range_it_is_measured_at_run_time_and_said():
    for nothing in (seen([[0, 0], [0, 0]]), seen([[0, 1], [0, 2]], blank=True)):
        assert RangeFit().source(nothing) == DynamicGrid(MinMax(), 8, False)
        assert nothing.evidence.unseen == [POINT]
    residual = seen([[0, 0]], symmetric=True)
    assert RangeFit().source(residual) == DynamicGrid(MinMax(), 8, True)
    assert residual.evidence.unseen == []  # its keyframe has said so


def test_it_watches_nothing_unless_told():
    assert RangeFit().watched == {} and RangeFit({"x": 1}).watched == {"x": 1}
