"""The clock against a plain reference that reads the whole history, and both streams against each other."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import videoquant as vq
from tests.engine.plan_interpreter import Interpreter
from tests.networks import small_network
from videoquant.data.video import Frame
from videoquant.engine import lower
from videoquant.errors import StreamWarning
from videoquant.runtime.clock import Clock, follows, index_and_size
from videoquant.runtime.stream import Stream

SIZES = ((16, 16, 3), (24, 20, 3), (1, 3, 16, 16))
# Mostly in order and of one size, so that whole cycles occur.
STEPS = st.sampled_from([1, 1, 1, 1, 1, 0, 2, -3, None])
EVENTS = st.lists(
    st.one_of(st.tuples(STEPS, st.sampled_from([SIZES[0]] * 6 + list(SIZES[1:]))), st.just("reset")),
    max_size=40,
)


def numbered(events):
    """The events with indices in place of steps: (index or None, size), or "reset"."""
    index = 0
    for event in events:
        if event == "reset":
            yield event
        else:
            index += event[0] or 0
            yield (None if event[0] is None else index), event[1]


def reference(events, period, refresh):
    """(is_key, is_full, warns) by frame, from the frames since the last that everything begins again at."""
    run, results = [], []
    for event in events:
        if event == "reset":
            run = []
            continue
        (index, size), warns = event, False
        if run:
            last_index, last_size = run[-1]
            warns = size != last_size and len(size) == len(last_size) == 3 and period > 1
            seeks = index is not None and last_index is not None and index != last_index + 1
            if size != last_size or seeks:
                run = []
        place = len(run)
        run.append(event)
        results.append((place % period == 0, place == 0 or (bool(refresh) and place % refresh == 0), warns))
    return results


@given(EVENTS, st.integers(1, 6), st.none() | st.integers(1, 5))
def test_the_clock_is_the_reference(events, period, refresh):
    events, got, clock = list(numbered(events)), [], Clock(period, refresh)
    for event in events:
        if event == "reset":
            clock = Clock(period, refresh)
            continue
        before = clock
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            clock = clock.tick(*event)
        got.append((clock.is_key, clock.is_full, bool(caught)))
        assert all(issubclass(warning.category, StreamWarning) for warning in caught)
        assert before is not clock  # the old one is still there for a stream whose frame is refused
    assert got == reference(events, period, refresh)


@given(EVENTS, st.integers(0, 39), st.integers(1, 4))
def test_a_refused_frame_is_as_if_it_had_never_come(events, at, period):
    """A stream that keeps its clock goes on as one that never saw the frame."""
    frames = [event for event in numbered(events) if event != "reset"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen = plain = Clock(period)
        for number, frame in enumerate(frames):
            if number == at:
                seen.tick(frame[0], (7, 7, 3))
            seen, plain = seen.tick(*frame), plain.tick(*frame)
            assert seen == plain


def test_a_warning_names_the_line_that_feeds_the_frame():
    clock = Clock(3).tick(0, (4, 4, 3))
    with pytest.warns(StreamWarning, match="frames have different sizes") as caught:
        clock.tick(1, (4, 5, 3))
    assert caught[0].filename == __file__


def test_what_follows():
    assert follows(3, 4) and follows(None, 9) and follows(9, None) and follows(None, None)
    assert not follows(3, 3) and not follows(3, 5) and not follows(3, 2)


def test_only_frames_have_an_index():
    pixels = np.zeros((4, 6, 3), np.uint8)
    assert index_and_size(Frame(pixels, 7), (1, 3, 2, 2)) == (7, (4, 6, 3))
    assert index_and_size(pixels, (1, 3, 2, 2)) == (None, (1, 3, 2, 2))


@pytest.fixture(scope="module")
def quantized():
    random = np.random.default_rng(0)
    frames = [Frame(random.integers(0, 256, (16, 16, 3), np.uint8), i) for i in range(6)]
    return vq.quantize(small_network(), "w8a8->w4a4 T=3", frames)


@pytest.fixture(scope="module")
def plan(quantized):
    return lower(quantized)


@settings(max_examples=25, deadline=None)
@given(EVENTS.filter(lambda events: len(events) < 12))
def test_simulation_and_engine_have_the_same_keyframes(quantized, plan, events):
    simulation, engine = quantized.stream(), Stream(plan, Interpreter(plan))
    shown, got = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for event in numbered(events):
            shown.append(event)
            if event == "reset":
                simulation.reset(), engine.reset()
                continue
            index, size = event
            frame = Frame(np.full(size, 90, np.uint8), index) if len(size) == 3 else None
            if frame is None or index is None:  # a picture without a number: its size is the network's
                frame, shown[-1] = np.full(SIZES[0], 90, np.uint8), (None, SIZES[2])
            simulation.run(frame), engine.run(frame)
            assert simulation.is_key == engine.is_key
            got.append(simulation.is_key)
    assert got == [is_key for is_key, _, _ in reference(shown, 3, None)]
