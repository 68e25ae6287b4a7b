"""Streams that follow changes fall back to full frames and return, and no output shows it."""

import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.engine.lower import lower

# Frames of a video by how much of the input changes: nothing, one corner, everything.
MIXTURES = {
    "still, then restless": "." * 20 + "#" * 40 + "." * 20,
    "every other frame": ".#" * 50,
    "twice, then twice not": "..##" * 25,
    "a scene cut now and then": ("o" * 11 + "#") * 10,
    "calm now and then": ("#" * 11 + ".") * 10,
    "growing": "." * 10 + "o" * 30 + "#" * 30 + "o" * 30,
}


@pytest.fixture(scope="module")
def plan():
    return lower(vq.quantize(small_network(), "w8a8", moving_frames(9)))


def video(mixture):
    generator = torch.Generator().manual_seed(3)
    frame = torch.randn(1, 3, 16, 16, generator=generator)
    for change in mixture:
        frame = frame.clone()
        noise = torch.randn(frame.shape, generator=generator)
        if change == "#":
            frame += noise
        elif change == "o":
            frame[..., :4, :4] += noise[..., :4, :4]
        yield frame


@pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES)
def test_exact_is_frame_on_every_frame(plan, mixture):
    reference, exact = plan.stream("frame"), plan.stream("exact", threads=2)
    for frame in video(mixture):
        expected, found = reference.run(frame), exact.run(frame)
        assert all(torch.equal(found[name], y) for name, y in expected.items())
