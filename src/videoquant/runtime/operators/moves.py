"""Operators that move values and compute none: constants, selections, shapes."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.runtime.operators.registry import Array, operator, operator_sized


def _sides(x: Array, padding: Sequence[int]) -> list[tuple[int, int]]:
    pairs = [(padding[2 * i], padding[2 * i + 1]) for i in range(len(padding) // 2)]
    return [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]


def _pad_elements(x: Array, *, padding: Sequence[int], **_: Any) -> int:
    return math.prod(a + n + b for (a, b), n in zip(_sides(x, padding), x.shape, strict=True))


@operator
def constant(*, value: Array) -> Array:
    return value.copy()  # a plan's array, which a user who writes into an output must not change


@operator_sized(lambda x, index, dim: x.size // max(x.shape[dim], 1) * index.size)
def gather(x: Array, index: Array, *, dim: int) -> Array:
    """The elements of a dimension that `index` names, a tensor of any shape, which takes its place."""
    return np.asarray(x.take(_places(index, x.shape[dim]), dim))


@operator_sized(lambda x, index, dim: index.size)
def gather_elements(x: Array, index: Array, *, dim: int) -> Array:
    return np.asarray(np.take_along_axis(_cut(x, index, dim), _places(index, x.shape[dim]), dim))


def _cut(x: Array, index: Array, dim: int) -> Array:
    """x without what indices along `dim` never name, in its other dimensions."""
    return x[tuple(builtins.slice(None if axis == dim else n) for axis, n in enumerate(index.shape))]


@operator_sized(
    lambda x, index, batch_dims: (
        math.prod(index.shape[:-1]) * math.prod(x.shape[batch_dims + index.shape[-1] :])
    )
)
def gather_nd(x: Array, index: Array, *, batch_dims: int) -> Array:
    lead = index.shape[:-1]
    places = [_places(index[..., i], x.shape[batch_dims + i]) for i in range(index.shape[-1])]
    batch = [
        np.broadcast_to(np.arange(n).reshape((1,) * i + (-1,) + (1,) * (len(lead) - i - 1)), lead)
        for i, n in enumerate(x.shape[:batch_dims])
    ]
    return np.asarray(x[(*batch, *places)])


def _places(index: Array, size: int) -> NDArray[np.intp]:
    """Indices as whole numbers; one that is outside, or none, stands for the nearest that exists."""
    places = np.where(index < 0, index + size, np.nan_to_num(index, nan=0.0)).clip(0, size - 1)
    return np.asarray(places, np.intp)


@operator_sized(lambda x, shape: math.prod(shape))
def expand(x: Array, *, shape: Sequence[int]) -> Array:
    return np.ascontiguousarray(np.broadcast_to(x, tuple(shape)))


@operator_sized(lambda x, repeats: x.size * math.prod(repeats))
def tile(x: Array, *, repeats: Sequence[int]) -> Array:
    return np.tile(x, tuple(repeats))


@operator_sized(lambda *values, dim: sum(int(value.size) for value in values))
def concat(*values: Array, dim: int) -> Array:
    return np.concatenate(values, dim)


@operator
def slice(x: Array, *, dim: int, start: int, end: int, step: int = 1) -> Array:
    """Elements start, start + step, … below end, of dimension dim."""
    index = [builtins.slice(None)] * x.ndim
    index[dim] = builtins.slice(start, end, step)
    return x[tuple(index)]


@operator_sized(_pad_elements)
def pad(x: Array, *, padding: Sequence[int], mode: str, value: float = 0.0) -> Array:
    """padding: (before, after) of each dimension, the last first; negative ones cut."""
    names = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
    sides = _sides(x, padding)
    cut = [builtins.slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(sides, x.shape, strict=True)]
    fill: dict[str, Any] = {"constant_values": value} if mode == "constant" else {}
    amounts = [(max(0, a), max(0, b)) for a, b in sides]
    return np.pad(x[tuple(cut)], amounts, names[mode], **fill)  # type: ignore[call-overload, no-any-return]


@operator
def reshape(x: Array, *, shape: Sequence[int]) -> Array:
    """A 0 keeps the size of that dimension (the batch), −1 takes what is left."""
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape)])


@operator
def permute(x: Array, *, dims: Sequence[int]) -> Array:
    return x.transpose(tuple(dims))
