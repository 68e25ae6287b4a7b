"""The native gate beside the one in NumPy: every block of every frame, on every instruction set."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from videoquant import _native
from videoquant.axes import Regions
from videoquant.errors import DataError, SchemeError
from videoquant.regions import Gate, NativeGate


def native(rule, size, channels, isa=""):
    numbers = (rule.trigger, rule.floor, rule.margin, rule.memory, rule.rest, rule.refresh, rule.block)
    return _native.Gate(*numbers, *size, channels, isa)


def clip_of(random, size, channels, frames):
    """Noise of some strength on steps of brightness, in which things move, and light and camera at times."""
    height, width = size
    steps = random.integers(0, 256, (height // 8 + 1, width // 8 + 1, channels)).repeat(8, 0).repeat(8, 1)
    scene = steps[:height, :width].astype(float)
    noise, speed = random.choice([0, 1, 5, 15]), random.integers(0, 4)
    for frame in range(frames):
        chance = random.random()
        if chance < 0.1:
            scene = np.roll(scene, random.integers(1, 9), 1)
        elif chance < 0.15:
            scene = scene * random.choice([0.7, 1.1, 1.3])
        seen = scene.copy()
        top, left = (random.integers(0, length) for length in size)
        seen[top : top + 20, left + speed * frame : left + speed * frame + 20] += random.choice([9, 40, -60])
        copied = random.random() < 0.2  # as codecs do
        seen += random.normal(0, 0 if copied else noise, seen.shape)
        yield np.clip(seen, 0, 255).astype(np.uint8)


rules = st.builds(
    Regions,
    st.sampled_from([0.5, 3.0, 6.0, 7.3, 1e6]),
    st.sampled_from([1, 5, 12, 255]),
    st.integers(0, 4),
    st.integers(1, 6),
    st.integers(0, 5),
    st.sampled_from([1, 3, 7, 128]),
    st.just(0),
    st.sampled_from([8, 12, 16, 20, 64]),
)


@settings(max_examples=60, deadline=None)
@given(
    rules,
    st.tuples(st.integers(1, 150), st.integers(1, 150)),
    st.sampled_from([3, 1, 2, 4]),
    st.integers(0, 2**32),
)
def test_it_is_the_numpy_gate_to_the_last_bit(rule, size, channels, seed):
    assume(rule.block < max(size))
    gate, twins = Gate(rule, size, channels), [native(rule, size, channels, isa) for isa in _native.isas()]
    state, native_states = gate.first(), [twin.first() for twin in twins]
    for picture in clip_of(np.random.default_rng(seed), size, channels, 12):
        region, state = gate.step(state, picture)
        for k, twin in enumerate(twins):
            blocks, whole, moving, native_states[k] = twin.step(native_states[k], picture)
            assert blocks.dtype == bool and np.array_equal(blocks, region.blocks)
            assert (whole, moving) == (region.whole, region.moving)


def test_steps_change_neither_picture_nor_state():
    clip = list(clip_of(np.random.default_rng(3), (60, 70), 3, 8))
    gate = NativeGate(Regions(), (60, 70), 3)
    states, regions = [gate.first()], []
    for picture in clip:
        picture.flags.writeable = False
        region, state = gate.step(states[-1], picture)
        states.append(state)
        regions.append(region)
    for state, picture, region in zip(states, clip, regions, strict=False):
        again, _ = gate.step(state, picture)
        assert np.array_equal(again.blocks, region.blocks)
        assert (again.whole, again.moving, again.size) == (region.whole, region.moving, (60, 70))


@pytest.mark.parametrize("change", [{"block": 6}, {"trigger": 0.0}, {"height": 0}, {"isa": "none"}])
def test_what_is_no_gate_is_refused(change):
    rule = {"trigger": 6.0, "floor": 12, "margin": 2, "memory": 40, "rest": 4, "refresh": 128, "block": 16}
    with pytest.raises(ValueError, match=r"out of range|rows and columns|cannot run"):
        _native.Gate(**(rule | {"height": 32, "width": 32, "channels": 3} | change))


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match="the picture must be 32×40×3"):
        small = native(Regions(), (32, 40), 3)
        small.step(small.first(), np.zeros((40, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="the state is of another gate"):
        small.step(native(Regions(), (32, 41), 3).first(), np.zeros((32, 40, 3), np.uint8))
    gate = NativeGate(Regions(), (32, 40), 3)
    with pytest.raises(DataError, match="the gate takes uint8 32×40×3; got uint8 40×32×3"):
        gate.step(gate.first(), np.zeros((40, 32, 3), np.uint8))


@pytest.mark.parametrize("gate", [Gate, NativeGate])
@pytest.mark.parametrize(
    ("rule", "size", "message"),
    [
        (Regions(), (16, 12), "the network.s input of 16×12 is one of them: .*; take block=8"),
        (Regions(block=64), (40, 64), "blocks of 64×64 pixels, and the network's input of 40×64"),
        (Regions(block=8), (1, 1), "take no regions"),
    ],
)
def test_a_picture_of_one_block_is_refused(gate, rule, size, message):
    with pytest.raises(SchemeError, match=message):
        gate(rule, size, 3)
    assert gate(rule, (1, rule.block + 1), 3).size == (1, rule.block + 1)
