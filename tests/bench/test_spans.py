"""Which frames are timed and which calibrate."""

import itertools

import pytest

from videoquant.bench.spans import RUN, TIMED_FRAMES, WARM_UP, plan_spans, positions
from videoquant.errors import DataError


@pytest.mark.parametrize("count", [4, 5, 20, 29, 60, 377, 1394])
@pytest.mark.parametrize("frames", [None, 1, 25, 60])
@pytest.mark.parametrize("length", [1, 8])
def test_spans_lie_in_the_clip_in_order_and_calibration_apart(count, frames, length):
    plan = plan_spans(count, frames, length, 16 // length)
    timed = [i for span in plan.timed for i in span]
    assert timed == sorted(set(timed)) and timed[-1] < count
    wanted = frames or min(TIMED_FRAMES, count // 2)
    assert len(positions(plan.timed)) == min(wanted, count - WARM_UP)
    assert all(len(span) <= WARM_UP + RUN for span in plan.timed) or len(plan.timed) == 1
    calibrating = set(itertools.chain(*plan.ranges))
    assert calibrating and max(calibrating) < count
    assert plan.disjoint == (not calibrating & set(timed))
    assert all(len(run) == min(length, count) for run in plan.ranges)


def test_runs_are_spread_over_the_clip():
    assert plan_spans(400, 100, 1, 16).timed == [range(s, s + 28) for s in (0, 100, 200, 300)]
    assert positions(plan_spans(400, 30, 1, 16).timed) == [*range(3, 28), *range(203, 208)]


def test_a_clip_that_is_all_warm_up_is_refused():
    with pytest.raises(DataError, match="3 frames is too short"):
        plan_spans(3, None, 1, 16)
