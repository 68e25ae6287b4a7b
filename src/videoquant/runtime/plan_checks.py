"""What a plan's file says, checked before anything uses it.

`_native.Plan` checks slots, grids and programs with their range updates. Here is what Python reads: names,
shapes, what is measured, the tail.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import torch

from videoquant.engine.tables import unsigned
from videoquant.errors import NetworkError
from videoquant.limits import check_size
from videoquant.network.operators import OPERATORS
from videoquant.runtime.ranges import measured_ranges

if TYPE_CHECKING:
    from videoquant.runtime.plan import Plan


def check_plan(plan: Plan) -> None:
    """Raise `NetworkError`, or whatever using the plan would raise, for the first thing that does not fit.

    Makes the plan's native form, which takes the memory of its weights and no more.
    """
    _require(_is_name(plan.name), "its name is no line of text")
    _require(isinstance(plan.spec, dict), "its spec is no dict")
    _ = plan.native
    for slot in plan.spec["slots"]:
        _require(_is_name(slot.get("name")), "a slot has no name")
    _check_shape(plan.input_shape, plan.spec["slots"][0], "the input")
    _require(
        plan.input_shape[1] == plan.preprocessing.channels, "preprocessing gives another number of channels"
    )
    numbers = (*plan.preprocessing.mean, *plan.preprocessing.std, plan.preprocessing.scale)
    _require(all(map(_is_finite, numbers)), "preprocessing: mean, std and scale must be finite numbers")
    _require(
        len(plan.preprocessing.mean) == plan.preprocessing.channels, "preprocessing: a mean for each channel"
    )
    programs = plan.spec["programs"]
    _require(plan.scheme.period == 1 or "residual" in programs, f"{plan.scheme} needs a residual program")
    _check_updates(plan)
    _check_outputs(plan)


def _check_updates(plan: Plan) -> None:
    """What Python reads of range updates; the native plan has checked the rest."""
    for name, program in plan.spec["programs"].items():
        for number, wanted in measured_ranges(program, plan.scheme).items():
            where, source = f"{name} update {number}", wanted.source
            _check_shape(wanted.shape, plan.spec["slots"][wanted.slot], where)
            _require(
                type(source.bits) is int and 2 <= source.bits <= 8 and type(source.symmetric) is bool,
                f"{where}: a grid of {source.bits} bits",
            )
            # Whether this range can be measured.
            unsigned(source.grid(torch.ones(1, 1, 2, 2, dtype=torch.float32, device="cpu"), {}))


def _check_outputs(plan: Plan) -> None:
    """Runs the tail on values that have shapes and no elements."""
    values = {}
    for name, index in plan.spec["outputs"].items():
        if index:
            _check_shape(plan.shapes.get(name), plan.spec["slots"][index], f"output {name!r}")
        shape = plan.shapes[name] if index else plan.input_shape
        values[name] = torch.empty(shape, device="meta")
    for node in plan.tail:
        _require(_is_name(node.name) and node.name not in values, "a node of the tail has no name of its own")
        tensors = {t: tensor.to("meta") for t, tensor in plan.tail_parameters[node.name].items()}
        values[node.name] = OPERATORS[node.op](
            *(values[i] for i in node.inputs), **tensors, **node.attributes
        )
        size = values[node.name].numel() * values[node.name].element_size()
        check_size(size, f"{plan.name}: {node.name}", NetworkError)
    _require(bool(plan.outputs), "it has no outputs")
    for name, value in plan.outputs.items():
        _require(_is_name(value) and value in values, f"output {name!r} is no value of it")


def _check_shape(shape: Any, slot: dict[str, Any], what: str) -> None:
    h, w, c = slot["h"], slot["w"], slot["c"]
    pixels = isinstance(shape, Sequence) and [*shape] == [1, c, h, w]
    vector = isinstance(shape, Sequence) and [*shape] == [1, c] and h == w == 1
    _require(pixels or vector, f"{what}: the shape {str(shape)[:40]} of {c} × {h} × {w} elements")
    _require(all(type(side) is int for side in shape), f"{what}: a side that is no whole number")


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_name(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value != "" and value.isprintable()


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise NetworkError(otherwise)
