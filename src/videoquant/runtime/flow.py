"""How values flow through a program: what an operator reads and stores, and how long each slot is needed."""

from __future__ import annotations

from dataclasses import dataclass

from videoquant.runtime.plan import Plan
from videoquant.runtime.program import Combine, Function, Op, Slot, StoreCodes, StoreResidual

_BYTES = {"f32": 4, "u8": 1, "sparse": 0}  # per element; what a sparse part takes depends on the frame


def read_by(op: Op) -> set[int]:
    """The slots that an operator and its steps read."""
    steps = [step.slot for step in op.steps if isinstance(step, Combine) and step.slot is not None]
    references = [step.reference for step in op.steps if isinstance(step, StoreResidual)]
    return {*op.inputs, *steps, *references, *([] if op.sparse is None else [op.sparse])}


def stored_by(op: Op) -> list[int]:
    """The slots that an operator's steps store a value or its codes to, in order."""
    return [step.slot for step in op.steps if not isinstance(step, Combine | Function)]


def changed_by(op: Op) -> set[int]:
    """All slots that an operator's steps write: also sparse parts, and references that follow."""
    steps = [step for step in op.steps if isinstance(step, StoreCodes | StoreResidual)]
    sparse = {step.sparse for step in steps if step.sparse is not None}
    updated = {step.reference for step in steps if isinstance(step, StoreResidual) and step.update}
    return {*stored_by(op), *sparse, *updated}


@dataclass(frozen=True)
class Life:
    """When a program needs a slot.

    slot: its index.
    first: the operator that stores it; −1 where it is there before: the input, and state.
    last: the operator that reads it last; the number of operators where it is needed after the program.
    """

    slot: int
    first: int
    last: int


def lives(plan: Plan, kind: str) -> list[Life]:
    """When a program needs each slot that it reads or writes, in the order in which they are stored.

    kind: "key" or "residual".
    """
    ops, updates = plan.programs[kind].ops, plan.programs[kind].updates
    first, last = {0: -1}, {0: 0}
    for index, op in enumerate(ops):
        for slot in read_by(op) - changed_by(op):
            first.setdefault(slot, -1)
        for slot in read_by(op) | changed_by(op):
            first.setdefault(slot, index)
            last[slot] = index
    for update in updates:
        last[update.slot] = max(last[update.slot], update.before_op - 1)
    after = {given.slot for given in plan.given.values()}
    for slot in first:
        if plan.slots[slot].keep:
            first[slot] = -1 if kind == "residual" else first[slot]
            last[slot] = len(ops)
        elif slot in after:
            last[slot] = len(ops)
    found = [Life(slot, first[slot], last[slot]) for slot in first]
    return sorted(found, key=lambda life: (life.first, life.slot))


def states_of(plan: Plan) -> list[int]:
    """The slots that hold a network's states: kept, and read on keyframes as the frame before left them."""
    found = lives(plan, "key")
    return [life.slot for life in found if plan.slots[life.slot].keep and life.first < 0]


def bytes_of(slot: Slot) -> int:
    """What a slot takes; pixels of codes lie a multiple of 4 bytes apart. 0 of sparse parts."""
    channels = (slot.c + 3) // 4 * 4 if slot.type == "u8" else slot.c
    return slot.h * slot.w * channels * _BYTES[slot.type]


def live_bytes(plan: Plan, kind: str) -> list[int]:
    """The bytes of the slots that are needed while an operator runs, one number per operator."""
    total = [0] * len(plan.programs[kind].ops)
    for life in lives(plan, kind):
        for index in range(max(life.first, 0), min(life.last + 1, len(total))):
            total[index] += bytes_of(plan.slots[life.slot])
    return total
