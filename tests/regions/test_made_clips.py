"""The rule on clips whose scene is known: neither blind nor open for ever, nothing older than it may be."""

import numpy as np
import pytest

from benchmarks.gate_cases import measure
from tests.regions.made_clips import CLIPS
from videoquant.axes import Regions
from videoquant.regions import NativeGate

# The largest share of pixels that may be computed, and the most frames in a row for which most of a block may
# be more than 5 levels off what is there. By more than 16 levels next to no cell may be.
BOUNDS = {
    "still, little noise": (0.02, 0),
    "still, much noise": (0.05, 0),
    "walker, much noise": (0.35, 3),
    "begins in the middle of motion": (0.3, 3),
    "dark clothes at night": (0.1, 10),
    "light is switched": (0.3, 3),
    "exposure steps": (0.35, 127),
    "covered lens": (0.25, 3),
    "cuts": (0.05, 0),
    "something is left behind": (0.25, 3),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_neither_blind_nor_open_for_ever(name):
    rule = Regions()
    share, blind = BOUNDS[name]
    found = measure(rule, CLIPS[name](1))
    assert found["share"] <= share
    assert found["wrong"] <= 1e-4
    assert found["blind"] <= blind
    assert found["oldest"] < rule.refresh


def test_rain_and_a_moving_camera_are_whole_frames():
    for name, whole in (("rain", 0.95), ("fast pan", 0.7)):
        found = measure(Regions(), CLIPS[name](1))
        assert found["whole"] > whole and found["wrong"] < 0.01


def test_twenty_thousand_frames_later_it_is_as_it_was():
    """Memory is flat, noise is what it was, and nothing but the turns is computed of a still scene."""
    random = np.random.default_rng(0)
    scene = random.integers(40, 200, (8, 8, 3)).repeat(8, 0).repeat(8, 1)
    pictures = [np.clip(scene + random.normal(0, 6, scene.shape), 0, 255).astype(np.uint8) for _ in range(64)]
    gate = NativeGate(Regions(), (64, 64), 3)
    state = gate.first()
    shares, sizes = [], set()
    for _ in range(20_000):
        region, state = gate.step(state, pictures[random.integers(64)])
        shares.append(region.share)
        sizes.add(state.bytes)
    assert len(sizes) == 1
    early, late = np.mean(shares[1_024:3_072]), np.mean(shares[-2_048:])
    assert early == late == 1 / 128
