"""The plain form of a plan's parts, in dicts, lists and arrays, for the native engine and the file; and back.

A dataclass is a dict of its fields, without those that are None. What has a kind says it: {"do": …} of steps,
{"measure": …} or {"predict": …} of range updates. docs/plan.md shows it whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from videoquant.errors import NetworkError
from videoquant.runtime.program import (
    Combine,
    Function,
    MeasuredRange,
    Op,
    PredictedRanges,
    Program,
    RangeUpdate,
    Step,
    Store,
    StoreCodes,
    StoreResidual,
    StoreValues,
)
from videoquant.typed_json import member, read

VERSION = 3  # of the plain form

STORES: dict[str, type[Store | StoreCodes | StoreValues | StoreResidual]] = {
    "store": Store,
    "store_codes": StoreCodes,
    "store_values": StoreValues,
    "store_residual": StoreResidual,
}
COMBINATIONS = (
    *("add", "sub", "rsub", "mul", "div", "rdiv", "minimum", "maximum"),
    *("pow", "rpow", "fmod", "rfmod", "equal", "greater", "rgreater", "greater_equal", "rgreater_equal"),
    *("keep_where", "rkeep_where", "keep_unless", "rkeep_unless"),
)
UPDATES: dict[str, type[RangeUpdate]] = {"measure": MeasuredRange, "predict": PredictedRanges}


def plain(value: Any) -> Any:
    """A part of a plan, or several, in plain values; arrays stay arrays."""
    match value:
        case Function():
            return {"do": value.do, **plain(value.attrs)}
        case Store() | StoreCodes() | StoreValues() | StoreResidual():
            return {"do": _word(STORES, value), **_fields(value)}
        case MeasuredRange() | PredictedRanges():
            update = _fields(value)
            place = {key: update.pop(key) for key in ("before_op", "slot")}
            return {**place, _word(UPDATES, value): update}
    if is_dataclass(value):
        return _fields(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def read_program(data: Any, what: str) -> Program:
    """A program of its plain form. Raises `NetworkError`, which begins with `what`, for anything else.

    That every part has the fields and the types of its dataclass is checked; what kinds mean, and that slots
    and grids exist, is the native engine's to check.
    """
    ops, updates = (_items(data, key, what) for key in ("ops", "updates"))
    return Program(
        tuple(_read_op(op, f"{what}: operator {i}") for i, op in enumerate(ops)),
        tuple(_read_update(update, f"{what}: range update {i}") for i, update in enumerate(updates)),
    )


def _read_op(data: Any, what: str) -> Op:
    steps = tuple(_read_step(step, f"{what}, step {i}") for i, step in enumerate(_items(data, "steps", what)))
    attrs, tensors = (_named(member(data, key, what, NetworkError), what) for key in ("attrs", "tensors"))
    for name, tensor in tensors.items():
        if not isinstance(tensor, np.ndarray):
            raise NetworkError(f"{what}: {name} is no array")
    parts: dict[str, Any] = {"steps": (), "attrs": {}, "tensors": {}}
    op: Op = read(Op, {**data, **parts}, what, NetworkError)
    return Op(**{**vars(op), "steps": steps, "attrs": attrs, "tensors": tensors})


def _read_step(data: Any, what: str) -> Step:
    do = member(data, "do", what, NetworkError)
    if not isinstance(do, str):
        raise NetworkError(f"{what}: it has no name")
    attrs = {key: value for key, value in data.items() if key != "do"}
    if do in STORES:
        step: Step = read(STORES[do], attrs, what, NetworkError)
        return step
    if do in COMBINATIONS:
        combine: Combine = read(Combine, data, what, NetworkError)
        return combine
    return Function(do, attrs)


def _read_update(data: Any, what: str) -> RangeUpdate:
    kind = next((word for word in UPDATES if word in _named(data, what)), None)
    if kind is None:
        raise NetworkError(f"{what} neither measures nor predicts")
    place = {key: value for key, value in data.items() if key != kind}
    update: RangeUpdate = read(UPDATES[kind], {**place, **_named(data[kind], what)}, what, NetworkError)
    return update


def _fields(value: Any) -> dict[str, Any]:
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: plain(item) for name, item in found.items() if item is not None}


def _word(kinds: Mapping[str, type], value: Any) -> str:
    return next(word for word, kind in kinds.items() if type(value) is kind)


def _items(data: Any, key: str, what: str) -> list[Any]:
    items = member(data, key, what, NetworkError)
    if not isinstance(items, list):
        raise NetworkError(f"{what}: its {key} are no list")
    return items


def _named(data: Any, what: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise NetworkError(f"{what} is no object of named values")
    return data
