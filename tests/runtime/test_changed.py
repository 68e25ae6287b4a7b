"""Where a frame's work was done, and frames that are computed in full now and then."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.data.video import Frame
from videoquant.engine import lower
from videoquant.runtime.changed import changed
from videoquant.runtime.program import Op


@pytest.fixture(scope="module")
def frames():
    return moving_frames(4)


@pytest.fixture(scope="module")
def plan(frames):
    return lower(vq.quantize(small_network(), "w8a8", frames))


HELD = vq.Regions(floor=255, refresh=999, block=8)  # a gate that passes over every change


def equal(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_everything_is_done_in_mode_frame(plan, frames):
    stream = plan.stream()
    stream.run(frames[0]), stream.run(frames[1])
    assert np.array_equal(stream.changed, np.ones((16, 16), np.float32))


def test_work_lies_where_the_picture_changes(plan, frames):
    stream = plan.stream("exact")
    stream.always_follow()
    stream.run(frames[0])
    assert np.all(stream.changed == 1)
    stream.run(frames[0])
    assert np.all(stream.changed == 0) and stream.work_share == 0
    moved = frames[0].clone()
    moved[..., :4, :4] += 1
    stream.run(moved)
    changed = stream.changed
    assert changed.dtype == np.float32 and changed.shape == (16, 16)
    assert changed.min() >= 0 and changed[:4, :4].min() > changed[8:, 8:].max() and changed.max() <= 1
    # Layers behind the mean over all places see a change everywhere, so there it is not 0.
    assert float(changed.mean()) <= stream.work_share + 1e-6 < 1


def test_more_work_lies_where_more_channels_moved():
    """Groups of 4 channels that moved, by pixel, as a session tells them; 4 pixels of which two moved."""
    session = SimpleNamespace(moved=lambda index: np.array([[1, 8], [0, 0]], np.uint16))
    operators = [Op("conv", "layer", (1,), 2, 2, 1)]
    parts = changed(session, [("layer", 100, 20, "residual")], operators, (2, 2))
    assert np.allclose(parts[0, 1], 8 * parts[0, 0]) and parts[1].sum() == 0
    whole = changed(session, [("layer", 100, 20, "listed")], operators, (2, 2))
    assert whole[0, 0] == whole[0, 1] > 0 and whole[1].sum() == 0


def test_of_residual_schemes_every_frame_is_whole(frames):
    stream = lower(vq.quantize(small_network(), "w8a8->w4a4 T=2", frames)).stream()
    for frame in frames:
        stream.run(frame)
        assert np.all(stream.changed == 1)


def test_a_refresh_makes_good_what_was_passed_over(plan, frames):
    stream, dense = plan.stream(regions=HELD, refresh=2), plan.stream()
    full = []
    for frame in [*frames, *frames]:
        full.append(equal(stream.run(frame), dense.run(frame)))
    assert full == [True, False] * 4


@pytest.mark.parametrize("restart", ["seek", "size", "reset"])
def test_a_restart_takes_nothing_over(plan, restart):
    random = np.random.default_rng(0)
    first, second = (random.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(2))
    stream = plan.stream(regions=HELD)
    stream.run(Frame(first, 0))
    assert not equal(stream.run(Frame(second, 1)), plan.stream().run(second))
    if restart == "reset":
        stream.reset()
    if restart == "size":
        second = second.repeat(2, 0)
    after = Frame(second, 7 if restart == "seek" else 2)
    assert equal(stream.run(after), plan.stream().run(after))


def test_a_refresh_is_every_frame_or_more(plan):
    with pytest.raises(vq.SchemeError, match="refresh=0"):
        plan.stream("exact", refresh=0)
