"""From JSON that somebody else wrote to the package's own values; what is no such value is refused.

Saved networks and plans hold dataclasses as JSON objects. Python checks no annotation, so a damaged file
would make a `Grid` whose scale is a list, and fail long after it was read. `read` checks all of them.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from videoquant.errors import VideoQuantError

LARGEST = 2**31 - 1  # of a whole number: sizes, strides, codes and positions of frames are below it


def read(kind: Any, data: Any, what: str, error: type[VideoQuantError]) -> Any:
    """`data` as a value of `kind`; JSON's lists become tuples where the kind has them.

    kind: a dataclass, or an annotation of plain values: numbers, texts, `Literal`, tuples, sequences, dicts
        with texts as keys, "… | None", `Any`. Whole numbers are at most `LARGEST` in size, others finite.
    what: begins the message, such as "pose.vq: grids of conv1". Raises `error` for any other data.
    """

    def refuse(wanted: str) -> VideoQuantError:
        return error(f"{what} is {_short(data)}; it must be {wanted}")

    if kind is Any:
        return data
    if dataclasses.is_dataclass(kind):
        return _read_fields(kind, data, what, error)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if data is None and NoneType in arguments:
            return None
        (inner,) = (argument for argument in arguments if argument is not NoneType)
        return read(inner, data, what, error)
    if origin is Literal:
        if not any(type(data) is type(value) and data == value for value in arguments):
            raise refuse(" or ".join(map(str, arguments)))
        return data
    if origin is dict:
        if not isinstance(data, dict):
            raise refuse("an object of named values")
        return {key: read(arguments[1], value, f"{what}, {key!r}", error) for key, value in data.items()}
    if origin in (tuple, list, Sequence):
        if not isinstance(data, list | tuple):
            raise refuse("a list")
        kinds = arguments if origin is tuple and arguments[-1] is not Ellipsis else arguments[:1] * len(data)
        if len(kinds) != len(data):
            raise refuse(f"a list of {len(kinds)}")
        items = [read(inner, item, what, error) for inner, item in zip(kinds, data, strict=True)]
        return tuple(items) if origin is tuple else items
    if kind is float and type(data) in (int, float):
        if abs(data) > LARGEST if type(data) is int else not math.isfinite(data):
            raise refuse("a finite number")
        return float(data)
    if kind is int and type(data) is int and abs(data) > LARGEST:
        raise refuse(f"a whole number of at most {LARGEST}")
    if type(data) is not kind:
        raise refuse({int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[kind])
    return data


def member(data: Any, key: str, what: str, error: type[VideoQuantError]) -> Any:
    """What an object of named values has under `key`. Raises `error` where it is none or has no such name."""
    if not isinstance(data, dict):
        raise error(f"{what} is {_short(data)}; it must be an object of named values")
    if key not in data:
        raise error(f"{what} lacks {key!r}")
    return data[key]


def fields_of(kind: Any) -> dict[str, tuple[Any, bool]]:
    """The fields of a dataclass: its name → its type, and whether it must be given."""
    hints = get_type_hints(kind)
    missing = dataclasses.MISSING
    return {
        field.name: (hints[field.name], field.default is missing and field.default_factory is missing)
        for field in dataclasses.fields(kind)
    }


def _read_fields(kind: Any, data: Any, what: str, error: type[VideoQuantError]) -> Any:
    fields = fields_of(kind)
    for name, (_, needed) in fields.items():
        if needed:
            member(data, name, what, error)
    if not isinstance(data, dict):
        raise error(f"{what} is {_short(data)}; it must be an object of named values")
    unknown = [name for name in data if name not in fields]
    if unknown:
        raise error(f"{what} has {_short(unknown[0])}, which is unknown; known are {', '.join(fields)}")
    return kind(
        **{name: read(fields[name][0], value, f"{what}, {name}", error) for name, value in data.items()}
    )


def _short(data: Any) -> str:
    """The data as JSON, cut where it is long."""
    text = json.dumps(data) if not isinstance(data, int) or abs(data) < 10**30 else "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}…"
