"""A frame by operator: what is counted, and that the parts are the whole."""

import numpy as np
import pytest

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.bench.limits import SIZES, Limits, measure_limits
from videoquant.bench.profile import BYTES, _parts, moved_bytes, profile
from videoquant.bench.run import as_hwc
from videoquant.engine import lower, vnni_ceiling
from videoquant.runtime.program import Combine, Op, Slot, Store, StoreCodes, StoreResidual

LIMITS = Limits(1e9, [2e9] * len(SIZES))


@pytest.fixture(scope="module")
def plan():
    return lower(vq.quantize(small_network(), "w8a8", moving_frames(8)))


def test_every_operator_is_timed_once_in_order(plan):
    inputs = [as_hwc(x) for x in moving_frames(6)]
    found = profile(plan, inputs, 1, LIMITS)
    ops = plan.programs["key"].ops
    named = [kind for one in found.operators for kind in one.kind.split("+")]
    assert named == [op.kind for op in ops] and found.ms > 0
    assert sum(one.share for one in found.operators) == pytest.approx(1)
    assert sum(one.macs for one in found.operators) == sum(small_network().macs.values())
    assert sum(one.bytes for one in found.operators) == sum(moved_bytes(op, plan.slots) for op in ops)


def test_a_limit_is_the_longer_of_two_times(plan):
    for one in profile(plan, [as_hwc(x) for x in moving_frames(4)], 1, LIMITS).operators:
        assert one.arithmetic_ms == one.macs / 1e6 and one.memory_ms == one.bytes / 2e6
        assert one.limit_ms == max(one.arithmetic_ms, one.memory_ms)
        assert one.bound == ("arithmetic" if one.macs * 2 >= one.bytes else "memory")


def test_all_that_an_operator_touches_is_counted():
    slots = [Slot("a", 2, 3, 4), Slot("b", 2, 3, 4, "u8"), Slot("c", 2, 3, 4), Slot("d", 2, 3, 4, "u8")]
    steps = (Combine("add", 2), Combine("mul", value=2.0), Store(0), StoreCodes(1, 0))
    op = Op("conv", "x", (3,), 2, 3, 4, steps, tensors={"weight": np.zeros(7, np.int8)})
    assert moved_bytes(op, slots) == 24 * (BYTES["u8"] * 2 + BYTES["f32"] * 2) + 7
    kept = Op("map", "x", (0,), 2, 3, 4, (StoreResidual(1, 0, 2, True),))
    assert moved_bytes(kept, slots) == 24 * (BYTES["f32"] * 2 + BYTES["u8"])


def test_a_convolution_and_its_pool_are_one_part():
    assert _parts(5, [1]) == [range(1), range(1, 3), range(3, 4), range(4, 5)]
    assert _parts(2, []) == [range(1), range(1, 2)]


def test_limits_are_of_the_next_size_that_was_measured():
    limits = Limits(1e9, [float(i + 1) for i in range(len(SIZES))])
    assert limits.memory_ms(SIZES[1]) == 1e3 * SIZES[1] / 2
    assert limits.memory_ms(SIZES[1] + 1) == 1e3 * (SIZES[1] + 1) / 3
    assert limits.memory_ms(10 * SIZES[-1]) == 1e4 * SIZES[-1] / len(SIZES)


def test_this_machine_has_limits():
    limits = measure_limits(1, vnni_ceiling(1))
    assert limits.macs > 1e8 and len(limits.bytes) == len(SIZES) and min(limits.bytes) > 1e7
