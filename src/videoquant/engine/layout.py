"""How a value of any shape lies in a slot h×w×c: some of its dimensions are pixels, the others channels.

A permutation is another name for the dimensions, a reshape mostly too: nothing moves. What an operator wants
in another order is arranged for it, by a node that reads its input in steps (`arrange`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.runtime.sizes import LONGEST, Size, size_of

Shape = Sequence[int]
Dims = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Where the elements of a value lie.

    pixels, channels: its dimensions, in the order of memory, the last one fastest. Those of size 1 are in
        neither.
    size: the slot's h×w×c.
    flat: the value is a map that only was flattened, and lies as the map did.
    """

    pixels: Dims
    channels: Dims
    size: Size
    flat: bool = False

    @property
    def order(self) -> Dims:
        return self.pixels + self.channels


def laid_out(shape: Shape, pixels: Sequence[int], channels: Sequence[int]) -> Layout | None:
    """The layout of a value with these dimensions as pixels and as channels; None where it is too long."""
    shown = tuple(dim for dim in pixels if shape[dim] > 1)
    rest = tuple(dim for dim in channels if shape[dim] > 1)
    as_map = size_of(shape) if len(shape) == 4 and tuple(pixels) == (2, 3) else None
    size = as_map or _size([shape[dim] for dim in shown], math.prod(shape[dim] for dim in rest))
    return None if size is None else Layout(shown, rest, size)


def map_layout(shape: Shape) -> Layout | None:
    """The layout that maps 1×C×H×W have, and vectors 1×C; None for other shapes."""
    size = size_of(shape)
    if size is None or len(shape) == 3:
        return None
    return laid_out(shape, tuple(range(2, len(shape))), (1,))


def _size(pixels: Sequence[int], channels: int) -> Size | None:
    """Pixels in rows as long as a slot's can be."""
    whole = math.prod(pixels)
    for height in (1, *pixels[:1], *range(2, 257)):
        if whole % height == 0 and whole // height <= LONGEST and height <= LONGEST:
            return height, whole // height, channels
    return None


def in_memory(x: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """A value as its slot has it, h×w×c."""
    if layout.flat:
        h, w, c = layout.size
        return np.ascontiguousarray(x.reshape(c, h, w).transpose(1, 2, 0))
    ones = [dim for dim in range(x.ndim) if dim not in layout.order]
    return np.ascontiguousarray(x.transpose(*ones, *layout.order)).reshape(layout.size)


def memory_order(layout: Layout, rank: int) -> Dims:
    """All dimensions of a value in the order of memory."""
    return (*(dim for dim in range(rank) if dim not in layout.order), *layout.order)


def steps_of(shape: Shape, layout: Layout) -> dict[int, int]:
    """How far apart in memory the neighbours along each dimension lie; 0 for those of size 1."""
    steps, step = dict.fromkeys(range(len(shape)), 0), 1
    for dim in reversed(layout.order):
        steps[dim] = step
        step *= shape[dim]
    return steps


def permuted(layout: Layout, dims: Sequence[int]) -> Layout:
    """The layout of a permutation: dimension i of the result is dims[i]."""
    place = {dim: i for i, dim in enumerate(dims)}
    pixels, channels = (tuple(place[dim] for dim in part) for part in (layout.pixels, layout.channels))
    return Layout(pixels, channels, layout.size)


def reshaped(layout: Layout, before: Shape, after: Shape) -> Layout | None:
    """The layout of a value in another shape that lies where it did; None where no layout says that."""
    renamed: dict[int, tuple[int, ...]] = {}  # a dimension before, or the first of several → those after
    joined: set[int] = set()
    for old, new in _groups(before, after):
        places = [layout.order.index(dim) for dim in old]
        if places != list(range(places[0], places[0] + len(places))):
            return None  # dimensions that become one lie apart, or in another order
        split = [sum(dim in part for dim in old) for part in (layout.pixels, layout.channels)]
        if min(split) > 0:
            return None
        renamed[old[0]] = tuple(new)
        joined.update(old[1:])
    pixels, channels = (
        tuple(new for dim in part if dim not in joined for new in renamed[dim])
        for part in (layout.pixels, layout.channels)
    )
    return Layout(pixels, channels, layout.size)


def _groups(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of dimensions that a reshape turns into one another, without those of size 1."""
    old = [dim for dim, n in enumerate(before) if n > 1]
    new = [dim for dim, n in enumerate(after) if n > 1]
    groups = []
    while old:
        left, right = [old.pop(0)], [new.pop(0)]
        a, b = before[left[0]], after[right[0]]
        while a != b:
            if a < b:
                left.append(old.pop(0))
                a *= before[left[-1]]
            else:
                right.append(new.pop(0))
                b *= after[right[-1]]
        groups.append((left, right))
    return groups


@dataclass(frozen=True)
class Reading:
    """How an `arrange` reads a slot: size and step of each dimension of what it gives, in order of memory."""

    pixels: tuple[tuple[int, int], ...]
    channels: tuple[tuple[int, int], ...]
    start: int = 0

    @property
    def attributes(self) -> dict[str, Any]:
        return {"start": self.start, **strided("pixel", self.pixels), **strided("channel", self.channels)}


def strided(prefix: str, dims: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Dimensions of (size, step) as the attributes that the engine reads."""
    merged: list[tuple[int, int]] = []
    for size, step in dims:
        if size == 1:
            continue
        if merged and merged[-1][1] == size * step:
            merged[-1] = (merged[-1][0] * size, step)
        else:
            merged.append((size, step))
    names = {"dims": len(merged), "sizes": [n for n, _ in merged], "steps": [step for _, step in merged]}
    return {f"{prefix}_{name}": value for name, value in names.items()}
