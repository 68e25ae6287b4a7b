"""How aten operators become nodes: what selects elements, or puts them elsewhere. See `aten_operators`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from videoquant.network.builder import Argument, OperatorContext, OperatorRegistry, Value

ATEN_SELECT = OperatorRegistry()
_aten = ATEN_SELECT.register


@_aten("argmax")
def argmax(site: OperatorContext, x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    if dim is None:
        raise site.refuse("the largest of all elements is not supported; name a dimension")
    return site.whole(site.emit("argmax", x, dim=dim % len(x.shape), keepdim=keepdim))


@_aten("topk")
def topk(
    site: OperatorContext, x: Value, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Sequence[Value]:
    attributes: dict[str, Any] = {"k": k, "dim": dim % len(x.shape), "largest": largest}
    values = site.emit("topk_values", x, part="values", **attributes)
    return [values, site.whole(site.emit("topk_indices", x, part="indices", **attributes))]


@_aten("index_select")
def index_select(site: OperatorContext, x: Argument, dim: int, index: Argument) -> Value:
    value = site.value(x)
    dim %= len(value.shape)
    if not isinstance(index, Tensor):
        return site.emit("gather", value, site.value(index), dim=dim)
    return _picked(site, value, [*[None] * dim, index.flatten()])


@_aten("gather")
def gather(
    site: OperatorContext, x: Argument, dim: int, index: Argument, *, sparse_grad: bool = False
) -> Value:
    value = site.value(x)
    return site.emit("gather_elements", value, site.value(index), dim=dim % len(value.shape))


@_aten("argmin")
def argmin(site: OperatorContext, x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    return argmax(site, site.emit("mul", x, site.value(-1.0), part="turned"), dim, keepdim)


def _extreme(name: str, reduction: str, elementwise: str, place: Any) -> None:
    """max and min: of all elements, of one dimension (and where it is), or of two values."""

    def read(
        site: OperatorContext, x: Argument, dim: Any = None, keepdim: bool = False
    ) -> Value | Sequence[Value]:
        if isinstance(dim, Value | Tensor):
            return site.emit(elementwise, site.value(x), site.value(dim))
        value = site.running(x)
        if dim is None:
            return site.emit(reduction, value, dims=list(range(len(value.shape))), keepdim=False)
        values = site.emit(reduction, value, dims=[dim % len(value.shape)], keepdim=keepdim, part="values")
        return [values, place(site, value, dim, keepdim)]

    _aten(name)(read)


_extreme("max", "amax", "maximum", argmax)
_extreme("min", "amin", "minimum", argmin)


@_aten("sort")
def sort(
    site: OperatorContext,
    x: Value,
    dim: int = -1,
    descending: bool = False,
    *,
    stable: bool = False,
) -> Sequence[Value]:
    return topk(site, x, x.shape[dim], dim, descending)


@_aten("index")
def index(site: OperatorContext, x: Value, indices: Sequence[Argument | None]) -> Value:
    return _picked(site, x, indices)


def _picked(site: OperatorContext, x: Value, indices: Sequence[Argument | None]) -> Value:
    """x[:, rows, columns]: indices into dimensions that stand side by side."""
    given = {dim: argument for dim, argument in enumerate(indices) if argument is not None}
    at = list(given)
    if not at or at != list(range(at[0], at[-1] + 1)):
        raise site.refuse("indices must be of dimensions that stand side by side")
    first, last = at[0], at[-1] + 1
    sizes = x.shape[first:last]
    if any(isinstance(argument, Value) for argument in given.values()):
        return _gathered(site, x, first, [site.value(argument) for argument in given.values()])
    picks = [site.fixed(argument, "indices") for argument in given.values()]
    picks = [torch.where(pick < 0, pick + size, pick) for pick, size in zip(picks, sizes, strict=True)]
    if any(len(pick.flatten()) and not 0 <= int(pick.min()) <= int(pick.max()) < size
           for pick, size in zip(picks, sizes, strict=True)):  # fmt: skip
        raise site.refuse(f"an index is outside the dimensions {list(sizes)}")
    flat = picks[0]
    for pick, size in zip(picks[1:], sizes[1:], strict=True):
        flat = flat * size + pick
    rows = site.reshape(x, (*x.shape[:first], math.prod(sizes), *x.shape[last:]))
    picked = site.pick(rows, first, flat.flatten().tolist())
    return site.reshape(picked, (*x.shape[:first], *flat.shape, *x.shape[last:]))


def _gathered(site: OperatorContext, x: Value, first: int, picks: Sequence[Value]) -> Value:
    """As `_picked`, by indices that each frame computes: none below 0 where there are several."""
    if not all(pick.whole for pick in picks):
        raise site.refuse("a mask selects elements, whose number is not known before a frame")
    sizes = x.shape[first : first + len(picks)]
    rows = site.reshape(x, (*x.shape[:first], math.prod(sizes), *x.shape[first + len(picks) :]))
    flat = picks[0]
    for pick, size in zip(picks[1:], sizes[1:], strict=True):
        flat = site.emit("add", site.emit("mul", flat, site.value(float(size))), pick)
    return site.emit("gather", rows, flat, dim=first)


@_aten("flip")
def flip(site: OperatorContext, x: Value, dims: Sequence[int]) -> Value:
    for dim in dims:
        x = site.pick(x, dim % len(x.shape), range(x.shape[dim])[::-1])
    return x


@_aten("roll")
def roll(site: OperatorContext, x: Value, shifts: Any, dims: Any = ()) -> Value:
    """The last elements of a dimension before its others; without dimensions of all elements in a row."""
    shifts, dims = ([n] if isinstance(n, int) else list(n) for n in (shifts, dims))
    if not dims:
        row = site.reshape(x, (math.prod(x.shape),))
        return site.reshape(roll(site, row, shifts, [0]), x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        size = x.shape[dim]
        cut = -shift % size if size else 0
        if cut:
            parts = [site.slice(x, dim, cut, size), site.slice(x, dim, 0, cut)]
            x = site.emit("concat", *parts, dim=dim % len(x.shape))
    return x


def _filled(name: str, value: float | None, of_shape: bool) -> None:
    """Constants of a shape that a value has, or that is given."""

    def read(site: OperatorContext, x: Value, *arguments: Any, **ignored: Any) -> Tensor:
        rest = list(arguments)
        shape = rest.pop(0) if of_shape else x.shape
        return torch.full(tuple(shape), float(rest[0] if value is None else value))

    _aten(name)(read)  # type: ignore[type-var]  # a constant, as those of the source graph


for _name, _value in (("zeros", 0.0), ("ones", 1.0), ("full", None)):
    _filled(f"{_name}_like", _value, False)
    _filled(f"new_{_name}", _value, True)
