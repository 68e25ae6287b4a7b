"""What a plan's file says, checked before anything uses it.

`_native.Plan` checks slots, grids and programs. Here is what Python reads: names, shapes, pauses, the tail.
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
from videoquant.runtime.ranges import Measure, Predict, read_pause

if TYPE_CHECKING:
    from videoquant.runtime.plan import Plan


def check_plan(plan: Plan) -> None:
    """Raise `NetworkError`, or whatever using the plan would raise, for the first thing that does not fit.

    Makes the plan's native form, which takes the memory of its weights and no more.
    """
    _require(_is_name(plan.name), "its name is no line of text")
    _require(isinstance(plan.spec, dict), "its spec is no dict")
    for name, pauses in plan.pauses.items():
        places = [pause["before_op"] for pause in pauses]
        _require(all(_is_index(place, 2**31) for place in places), f"a pause of {name!r} is at no operator")
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
    _check_pauses(plan)
    _check_outputs(plan)


def _check_pauses(plan: Plan) -> None:
    remembered: dict[str, dict[str, Any]] = {}
    for name in sorted(plan.pauses):  # "key" before "residual"
        _require(name in plan.spec["programs"], f"pauses of {name!r}, which is no program")
        before = 0
        for number, stored in enumerate(plan.pauses[name]):
            where, pause = f"pause {number} of {name!r}", read_pause(stored, plan.scheme)
            last = len(plan.spec["programs"][name])
            _require(
                _is_index(pause.before_op, last + 1) and pause.before_op >= before, f"{where}: its place"
            )
            before = pause.before_op
            _require(_is_index(pause.slot, len(plan.spec["slots"])), f"{where}: no such slot")
            slot = plan.spec["slots"][pause.slot]
            _require(slot["type"] == "f32", f"{where}: its slot holds no values")
            if isinstance(pause, Measure):
                _check_shape(pause.shape, slot, where)
                _require(_is_index(pause.index, len(plan.spec["grids"])), f"{where}: no such grid")
                _check_grid(where, pause.source.bits, pause.source.symmetric)
                unsigned(
                    pause.source.grid(torch.ones(1, 1, 2, 2, dtype=torch.float32, device="cpu"), {})
                )  # whether this range can be measured
                continue
            _require(_is_name(pause.value) and type(pause.remember) is bool, f"{where}: its value")
            if pause.predictions is not None:
                _check_shape(stored["predict"]["shape"], slot, where)
                _check_predictions(plan, pause, where)
                _require(
                    name == "key" or remembered.get(pause.value) == slot, f"{where}: nothing to compare with"
                )
            if pause.remember:
                remembered[pause.value] = slot


def _check_predictions(plan: Plan, pause: Predict, where: str) -> None:
    assert pause.predictions is not None
    for index, source in zip(pause.predictions.indices, pause.predictions.sources, strict=True):
        predictor = source.predictor
        _require(_is_index(index, len(plan.spec["grids"])), f"{where}: no such grid")
        _check_grid(where, source.bits, source.symmetric)
        numbers = (*predictor.slopes[0], *predictor.slopes[1], *predictor.intercepts)
        limits = (*predictor.lows, *predictor.highs)
        _require(all(map(_is_finite, (*numbers, *limits))), f"{where}: a predictor that is not finite")
        _require(
            all(low <= high for low, high in zip(predictor.lows, predictor.highs, strict=True)),
            f"{where}: a predictor's limits",
        )


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


def _check_grid(where: str, bits: Any, symmetric: Any) -> None:
    _require(
        type(bits) is int and 2 <= bits <= 8 and type(symmetric) is bool, f"{where}: a grid of {bits} bits"
    )


def _is_index(value: Any, count: int) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < count


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_name(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value != "" and value.isprintable()


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise NetworkError(otherwise)
