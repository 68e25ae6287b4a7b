"""Which frames are scored and which calibrate."""

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from tests.networks import moving_frames, small_network
from videoquant.calibration.sampling import (
    FOLLOWED_RUNS,
    calibration_runs,
    calibration_spans,
    cut,
    evenly,
    runs_and_rest,
    split,
    starts,
)
from videoquant.data.video import Frame
from videoquant.schemes import Scheme

periods = st.lists(st.integers(1, 15), min_size=1, max_size=3)


def total(spans):
    return sum(map(len, spans))


@given(st.integers(1, 400), st.none() | st.integers(1, 500), periods)
def test_a_split_is_sound(count, frames, periods):
    plan = split(count, frames, periods)
    every = [i for span in plan.scored for i in span]
    assert every == sorted(set(every)) and every[-1] < count
    if frames is not None:
        assert len(every) == min(frames, count)
    if plan.disjoint:
        assert not set(every) & {i for span in plan.free for i in span}
    for period in periods:
        spans = calibration_spans(plan.free, period, 5)
        assert 1 <= len(spans) <= 5 and all(1 <= len(span) <= period for span in spans)
        assert all(a.stop <= b.start for a, b in itertools.pairwise(spans))
        if plan.disjoint:
            assert all(len(span) == period for span in spans)


@given(st.integers(100, 2000), periods)
def test_scored_runs_hold_whole_cycles(count, periods):
    plan = split(count, None, periods)
    if len(plan.scored) > 1:
        assert all(len(span) % math.lcm(*periods) == 0 for span in plan.scored[:-1])


def test_a_long_clip_is_seen_from_end_to_end():
    plan = split(1394, None, [1, 3])
    assert total(plan.scored) == 60 and len(plan.scored) == 10
    assert len(split(1394, None, [1, 3], FOLLOWED_RUNS).scored) == 5
    assert plan.scored[0].start == 0 and plan.scored[-1].start > 1000
    spans = calibration_spans(plan.free, 3, calibration_runs(Scheme.parse("w8a8 T=3")))
    assert [len(span) for span in spans] == [3] * 5
    assert spans[0].start < 300 and spans[-1].stop > 1000


@given(st.integers(1, 60), st.integers(200, 2000), st.integers(1, 4))
def test_few_frames_are_spread_over_the_clip_too(frames, count, period):
    scored = split(count, frames, [1, period]).scored
    assert total(scored) == frames
    assert len(scored) >= min(10, math.ceil(frames / period))
    assert scored[-1].start >= count * (len(scored) - 1) // len(scored)


def test_predicted_ranges_calibrate_on_more_frames():
    runs = {
        text: calibration_runs(Scheme.parse(text)) for text in ("w8a4 qpp", "w8a4 T=3 qpp", "w8a4 qpp=40")
    }
    assert runs == {"w8a4 qpp": 64, "w8a4 T=3 qpp": 21, "w8a4 qpp=40": 64}


def test_a_short_clip_that_is_wholly_scored_says_so():
    assert split(10, 10, [3]).disjoint is False
    assert split(10, None, [3]).disjoint is True


def test_cut_begins_a_new_clip_at_a_seek_and_at_the_period():
    network = small_network()
    pixels = moving_frames(1)[0][0].permute(1, 2, 0).mul(255).byte().numpy()
    frames = [Frame(pixels, i) for i in (0, 1, 2, 3, 7, 8)]
    assert [len(clip) for clip in cut(network, frames, 3)] == [3, 1, 2]
    assert [len(clip) for clip in cut(network, moving_frames(5), 2)] == [2, 2, 1]


def test_samples_are_the_middles_of_equal_parts():
    assert evenly(range(100), 2) == [25, 75]
    assert evenly(range(9), 3) == [1, 4, 7]
    assert evenly(range(3), 5) == [0, 1, 2]


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 30), st.integers(0, 5))
def test_runs_and_the_rest_are_the_clip(count, wanted, run, lead):
    count += lead  # a clip holds a frame beyond the lead
    runs, rest = runs_and_rest(count, wanted, run, lead)
    assert sorted(i for span in [*runs, *rest] for i in span) == list(range(count))
    assert sum(len(span) - lead for span in runs) == min(wanted, count - lead)
    assert len(runs) == 1 or all(lead < len(span) <= lead + run for span in runs)


def test_parts_begin_evenly():
    assert starts(10, 3) == [0, 3, 6] and starts(2, 2) == [0, 1]
