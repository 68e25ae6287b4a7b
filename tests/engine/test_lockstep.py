"""Where a plan and the simulation differ: the operator, the place, the values."""

import dataclasses

import numpy as np
import pytest

import videoquant as vq
from tests.engine.plan_interpreter import Interpreter
from tests.networks import moving_frames
from tests.operators import captured
from tests.operators.convolutions import Layers
from tests.operators.pools import Pools
from videoquant.engine import lower
from videoquant.engine.lockstep import Lockstep, may_round
from videoquant.runtime.program import Combine, Function, Op, Store

FRAMES = moving_frames(12, 12)


@pytest.fixture(scope="module")
def quantized():
    return vq.quantize(captured(Layers), "w8a8->w4a4 T=3", FRAMES[:8])


def with_grid(plan, suffix, factor):
    """The same plan, its first grid whose name ends so with another scale; and that grid's name."""
    grids = list(plan.grids)
    at = next(i for i, grid in enumerate(grids) if grid.name.endswith(suffix))
    grids[at] = dataclasses.replace(grids[at], scale=float(np.float32(grids[at].scale * factor)))
    return dataclasses.replace(plan, grids=tuple(grids)), grids[at].name.removesuffix(suffix)


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("session", [None, Interpreter])
def test_what_is_equal_has_no_difference(quantized, forced, session):
    given = {} if session is None else {"session": session}
    both = Lockstep(quantized, lower(quantized), forced=forced, **given)
    for frame in FRAMES[8:]:
        found = both.run(frame)
        assert not found.differences
        assert all(np.array_equal(found.engine_outputs[name], y) for name, y in found.outputs.items())
    assert both.compared["codes"] > 0 and both.compared["values"] > 0


def test_the_first_difference_is_where_the_fault_is(quantized):
    plan, point = with_grid(lower(quantized), " key", 2)
    first = Lockstep(quantized, plan, forced=True).run(FRAMES[8]).differences[0]
    assert (first.frame, first.slot.name, first.may_round) == (0, point, False)
    assert first.engine != first.simulation and first.largest >= abs(first.engine - first.simulation)
    assert 0 < first.count <= first.slot.elements and first.grid is not None
    row, column, channel = first.place
    assert 0 <= row < first.slot.h and 0 <= column < first.slot.w and 0 <= channel < first.slot.c


def test_what_is_kept_for_later_frames_is_compared_too(quantized):
    plan = lower(quantized)
    ops = list(plan.programs["key"].ops)
    at = next(i for i, op in enumerate(ops) if isinstance(op.steps[0], Store) and op.kind == "conv")
    bias = ops[at].tensors["bias"] + np.float32(1)
    ops[at] = dataclasses.replace(ops[at], tensors={**ops[at].tensors, "bias": bias})
    program = dataclasses.replace(plan.programs["key"], ops=tuple(ops))
    plan = dataclasses.replace(plan, programs={**plan.programs, "key": program})
    names = [d.slot.name for d in Lockstep(quantized, plan, forced=True).run(FRAMES[8]).differences]
    assert names[0] == f"{ops[at].name} output"


def test_what_may_round_is_told_apart():
    quantized = vq.quantize(captured(Pools), "w8a8", FRAMES[:8])
    both = Lockstep(quantized, lower(quantized), forced=True)
    for frame in FRAMES[8:]:
        for difference in both.run(frame).differences:
            assert difference.may_round and may_round(difference.op)


@pytest.mark.parametrize(
    ("op", "rounds"),
    [
        (Op("conv", "a", (0,), 1, 1, 1, (Combine("add", slot=1), Store(2))), False),
        (Op("conv", "a", (0,), 1, 1, 1, (Function("sigmoid"), Store(2))), True),
        (Op("conv", "a", (0,), 1, 1, 1, (Store(2), Function("sigmoid"), Store(3))), False),
        (Op("conv", "a", (0,), 1, 1, 1, (Store(2),), sparse=4), True),
        (Op("dequantize", "a", (0,), 1, 1, 1, (Store(2),), sparse=4), False),
        (Op("resize", "a", (0,), 1, 1, 1, (Store(2),), attrs={"mode": "nearest"}), False),
        (Op("resize", "a", (0,), 1, 1, 1, (Store(2),), attrs={"mode": "bilinear"}), True),
        (Op("global_pool", "a", (0,), 1, 1, 1, (Store(2),)), True),
    ],
)
def test_what_an_operator_may_round_in_a_slot(op, rounds):
    assert may_round(op, 2) is rounds
