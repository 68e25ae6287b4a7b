import numpy as np
import pytest

import videoquant as vq
from tests.networks import small_network
from videoquant.axes import Regions
from videoquant.engine.lower import lower
from videoquant.errors import DataError
from videoquant.regions.region import Region
from videoquant.runtime.program import PostprocessNode
from videoquant.runtime.region_input import RegionInput, RegionState

FRAMES = [np.random.default_rng(i).integers(0, 255, (16, 16, 3)).astype(np.uint8) for i in range(10)]


@pytest.fixture(scope="module")
def plan():
    return lower(vq.quantize(small_network(), "w8a8", FRAMES))


def test_bytes_are_those_that_the_input_is_made_of(plan):
    made = RegionInput(plan, Regions(block=8))
    assert np.array_equal(made.picture(FRAMES[0]), FRAMES[0])
    assert made.picture(np.zeros((1, 3, 16, 16), np.float32)) is None  # an input that is given
    with pytest.raises(DataError, match="uint8"):
        made.picture(np.zeros((16, 16), np.uint8))


def test_a_session_takes_what_preparing_gives(plan):
    made = RegionInput(plan, Regions(block=8))
    stream = plan.stream(regions=made.regions)
    stream.run(FRAMES[0])
    x = plan.preprocessing.prepare(FRAMES[0], (16, 16))
    assert np.array_equal(stream._session.slot(0), x[0].transpose(1, 2, 0))


def test_a_streams_memory_is_its_sessions_and_its_gates(plan):
    stream = plan.stream(regions=Regions(block=8))
    assert stream.memory_bytes == stream._session.memory_bytes
    stream.run(FRAMES[0])
    sums, blocks = 2 * 2 * 4 * 4 * 3, 2 * 4 * 2 * 2  # held and before, of 16 bits; since and still, of 32
    assert stream.memory_bytes >= stream._session.memory_bytes + sums + blocks
    state = RegionState(stream._regions.gate, {"y": np.zeros((1, 2, 4, 4), np.float32)})
    assert state.memory_bytes == stream._regions.gate.bytes + 128


def test_maps_of_the_postprocess_are_held(plan):
    made = RegionInput(plan, Regions(block=8))
    blocks = np.array([[True, False], [False, False]])
    before = RegionState(made.gate.first(), {"y": np.zeros((1, 2, 4, 4), np.float32)})
    after = RegionState(made.gate.first(), {}, Region(blocks, False, False, (16, 16), 8))
    y, pixel = np.ones((1, 2, 4, 4), np.float32), np.ones((1, 2, 1, 1), np.float32)
    held = made.hold(before, after, PostprocessNode("y", "mul", placeless=False), [y, pixel], y)
    assert held.sum() == 2 * 4 and held[0, :, :2, :2].all()
    assert np.array_equal(after.held["y"], held) and after.held["y"] is not held
    for node, inputs in (
        (PostprocessNode("y", "mul", placeless=False), [y, y]),  # of values that are held themselves
        (PostprocessNode("y", "permute", placeless=True), [y]),
    ):
        assert made.hold(before, after, node, inputs, y) is y
    assert made.hold(before, after, PostprocessNode("v", "mean", placeless=False), [y], pixel) is pixel
