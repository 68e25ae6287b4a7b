"""The engine's stream: keyframes, restarts, refused frames, threads. Run on the interpreter of plans."""

from threading import Event, Thread

import numpy as np
import pytest
import torch

import videoquant as vq
from tests.engine.plan_interpreter import Interpreter
from tests.networks import moving_frames, small_network
from videoquant.data.video import Frame
from videoquant.engine.lower import lower
from videoquant.errors import StreamWarning
from videoquant.runtime.session import open_session
from videoquant.runtime.stream import Stream


@pytest.fixture(scope="module")
def frames():
    return moving_frames(12)


@pytest.fixture(scope="module")
def quantized(frames):
    return vq.quantize(small_network(), "w8a8->w4a4 T=3", frames[:9])


@pytest.fixture(scope="module")
def plan(quantized):
    return lower(quantized)


@pytest.fixture
def stream(plan):
    return Stream(plan, Interpreter(plan))


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def video_frames(indexes, size=(16, 16)):
    pixels = torch.randint(0, 255, (*size, 3), dtype=torch.uint8).numpy()
    return [Frame(pixels, index) for index in indexes]


@pytest.mark.parametrize(
    "sequence",
    [
        video_frames(range(8)),
        video_frames([0, 1, 2, 7, 8, 3]),
        video_frames([0, 1]) + video_frames([2, 3], (24, 20)),
        moving_frames(4),
        [*moving_frames(2), *video_frames([5, 6])],
        [frame.pixels for frame in video_frames(range(2))],
    ],
)
def test_keyframes_are_where_the_simulation_has_them(quantized, stream, sequence):
    simulation = quantized.stream()
    for frame in sequence:
        a, b = simulation.run(frame), stream.run(frame)
        assert stream.is_key == simulation.is_key
        assert all(a[name].shape == b[name].shape for name in a)


def test_frames_of_several_sizes_are_said_to_gain_nothing(stream):
    stream.reset()
    with pytest.warns(StreamWarning, match="one that differs from the frame before is a keyframe"):
        for frame in video_frames([0, 1]) + video_frames([2, 3], (24, 20)):
            stream(frame)


def test_a_reset_starts_from_a_keyframe(stream, frames):
    stream(frames[0]), stream(frames[1])
    assert not stream.is_key
    stream.reset()
    stream(frames[2])
    assert stream.is_key


BAD = {
    "NaN": lambda x: torch.where(torch.arange(16) == 3, torch.nan, x),
    "infinity": lambda x: x / 0,
    "the input must be 1×3×16×16": lambda x: x[..., :8],
    "the engine takes one frame at a time": lambda x: x.expand(2, 3, 16, 16),
    "a batch of 0": lambda x: x[:0],
    "uint8": lambda x: x[0].permute(1, 2, 0).numpy(),
    "no pixels": lambda x: np.zeros((0, 4, 3), np.uint8),
    r"H×W×3": lambda x: np.zeros((4, 4), np.uint8),
}


@pytest.mark.parametrize("message", BAD)
def test_a_refused_frame_leaves_the_stream_as_it_was(plan, stream, frames, message):
    other = Stream(plan, Interpreter(plan))
    stream.run(frames[0])
    with pytest.raises(vq.DataError, match=message):
        stream.run(BAD[message](frames[1]))
    other.run(frames[0])
    for frame in frames[1:4]:
        assert equal(stream.run(frame), other.run(frame))
        assert stream.is_key == other.is_key


def test_a_frame_may_lie_in_memory_in_any_way(plan, stream, frames):
    wanted = [stream.run(frame) for frame in frames[:2]]
    other = Stream(plan, Interpreter(plan))
    wide = torch.zeros(1, 3, 16, 40)
    wide[..., 4:36:2] = frames[1]
    assert equal(other.run(frames[0].double()), wanted[0])
    assert equal(other.run(wide[..., 4:36:2]), wanted[1])


def test_an_output_does_not_change_with_the_next_frame(stream, frames):
    kept = stream.run(frames[0])
    copy = {name: y.clone() for name, y in kept.items()}
    stream.run(frames[1]), stream.run(frames[2])
    assert equal(kept, copy)


def test_two_streams_share_no_state(plan, frames):
    first, second = frames[:5], moving_frames(5, seed=7)
    separate = [Stream(plan, Interpreter(plan)) for _ in range(2)]
    wanted = [[stream.run(f) for f in clip] for stream, clip in zip(separate, (first, second), strict=True)]
    together = [Stream(plan, Interpreter(plan)) for _ in range(2)]
    for i in range(5):
        for stream, clip, outputs in zip(together, (first, second), wanted, strict=True):
            assert equal(stream.run(clip[i]), outputs[i])


class Waiting(Interpreter):
    """A session whose second frame takes until it is told to go on."""

    def __init__(self, plan):
        super().__init__(plan)
        self.frames, self.inside, self.go_on = 0, Event(), Event()

    def run(self, *arguments):
        self.frames += 1
        if self.frames == 2:
            self.inside.set()
            assert self.go_on.wait(10)
        super().run(*arguments)


def test_a_second_thread_is_refused_and_changes_nothing(plan, stream, frames):
    wanted = [stream.run(frame) for frame in frames[:3]]
    session = Waiting(plan)
    shared, got = Stream(plan, session), []
    shared.run(frames[0])
    thread = Thread(target=lambda: got.append(shared.run(frames[1])))
    thread.start()
    assert session.inside.wait(10)
    with pytest.raises(vq.DataError, match="two threads"):
        shared.run(frames[2])
    session.go_on.set()
    thread.join()
    assert equal(got[0], wanted[1])
    assert equal(shared.run(frames[2]), wanted[2])


class Breaking(Interpreter):
    """A session whose second frame is broken off half-way, as by Ctrl-C."""

    frames = 0

    def run(self, program, input, measure=None, first=0, last=-1):
        self.frames += 1
        super().run(program, input, measure, first, 3 if self.frames == 2 else last)
        if self.frames == 2:
            raise KeyboardInterrupt


def test_after_a_frame_that_was_broken_off_comes_a_keyframe(plan, frames):
    stream = Stream(plan, Breaking(plan))
    first = stream.run(frames[0])
    with pytest.raises(KeyboardInterrupt):
        stream.run(frames[1])
    assert equal(stream.run(frames[0]), first)
    assert stream.is_key


def test_modes_are_checked(plan, frames):
    by_frame = lower(vq.quantize(small_network(), "w8a8", frames[:2]))
    cases = [
        (by_frame, "fast", "it must be frame, exact or regions"),
        (plan, "exact", "residual scheme, which runs in modes frame and regions only"),
    ]
    for plan_, mode, message in cases:
        with pytest.raises(vq.SchemeError, match=message):
            open_session(plan_, mode, 1)
