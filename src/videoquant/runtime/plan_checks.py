"""What a plan's file says, checked before anything uses it.

Types are checked where the file is read (`plan_spec.py`), slots, grids and programs by `_native.Plan`. Here
is what Python reads: names, shapes, ranges that are measured, the postprocess.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from videoquant.errors import NetworkError
from videoquant.limits import check_size
from videoquant.runtime import postprocess
from videoquant.runtime.operators import OPERATORS
from videoquant.runtime.plan import Plan
from videoquant.runtime.program import MeasuredRange, ProgramOutput, Slot
from videoquant.runtime.ranges import measure_by


def check_plan(plan: Plan) -> None:
    """Raise `NetworkError`, or whatever using the plan would raise, for the first thing that does not fit.

    Makes the plan's native form, which takes the memory of its weights, and runs the postprocess once.
    """
    _require(_is_name(plan.name), "its name is no line of text")
    _ = plan.native
    for slot in plan.slots:
        _require(_is_name(slot.name), "a slot has no name")
    _check_shape(plan.input_shape, plan.slots[0], "the input")
    channels = plan.preprocessing.channels
    _require(plan.input_shape[1] == channels, "preprocessing gives another number of channels")
    _require(len(plan.preprocessing.mean) == channels, "preprocessing: a mean for each channel")
    _require(
        plan.scheme.period == 1 or "residual" in plan.programs, f"{plan.scheme} needs a residual program"
    )
    _check_measured(plan)
    _check_outputs(plan)


def _check_measured(plan: Plan) -> None:
    """Whether the ranges that are measured can be."""
    for name, program in plan.programs.items():
        updates = {i: u for i, u in enumerate(program.updates) if isinstance(u, MeasuredRange)}
        for number, update in updates.items():
            _require(2 <= update.bits <= 8, f"{name}: range update {number}: a grid of {update.bits} bits")
        measure = measure_by(plan.scheme.range_estimator, program.updates)
        for number in updates:
            measure(number, np.ones((2, 2, 1), np.float32))


def _check_outputs(plan: Plan) -> None:
    """Runs the postprocess on zeros."""
    values = {}
    for name, given in plan.given.items():
        _check_given(given, plan.slots[given.slot], f"output {name!r}")
        check_size(plan.slots[given.slot].elements * 4, f"{plan.name}: {name}", NetworkError)
        values[name] = np.zeros(given.shape, np.float32)
    for node in plan.postprocess:
        _require(_is_name(node.name), "a node of the postprocess has no name")
        _require(node.op in OPERATORS, f"{node.name} is {node.op!r:.40}, which is no operator")
    names = [*values, *(node.name for node in plan.postprocess)]
    _require(len(set(names)) == len(names), "two values have one name")

    def allow(name: str, elements: int) -> None:
        check_size(elements * 8, f"{plan.name}: {name}", NetworkError)

    postprocess.run(plan.postprocess, values, allow)
    _require(bool(plan.outputs), "it has no outputs")
    for name, value in plan.outputs.items():
        _require(value in values, f"output {name!r} is no value of it")


def _check_given(given: ProgramOutput, slot: Slot, what: str) -> None:
    if given.order is None:
        return _check_shape(given.shape, slot, what)
    fits = sorted(given.order) == list(range(len(given.shape))) and min(given.shape) > 0
    _require(fits, f"{what}: the order {str(given.order)[:40]} of {len(given.shape)} dimensions")
    _require(math.prod(given.shape) == slot.elements, f"{what}: the shape {str(given.shape)[:40]}")


def _check_shape(shape: Sequence[int], slot: Slot, what: str) -> None:
    fits = [*shape] == [1, slot.c, slot.h, slot.w] or ([*shape] == [1, slot.c] and slot.h == slot.w == 1)
    _require(fits, f"{what}: the shape {str(shape)[:40]} of {slot.c} × {slot.h} × {slot.w} elements")


def _is_name(value: str) -> bool:
    return value != "" and value.isprintable()


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise NetworkError(otherwise)
