"""Rules of `placing` for nodes that combine values element by element: all are read as one of them lies."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from videoquant.engine.layout import Layout, in_memory
from videoquant.engine.operands import Operands, as_wide, usual


def combination(o: Operands) -> None:
    """Two values."""
    layout = _common(o)
    o.enter(_side_by_side(o, o.inputs, layout), layout)


def where(o: Operands) -> None:
    """What a keeps where the condition is not 0, and b where it is, added: one of them is 0 in each place."""
    condition, a, b = o.inputs
    layout = _common(o)

    def part(op: str, value: str, keep: Callable[[Tensor, Tensor], Tensor]) -> str:
        if value in o.body.constants and condition in o.body.constants:
            kept = keep(o.body.constants[condition] != 0, o.body.constants[value])
            return o.hold(f"{o.node.name} {op}", in_memory(kept.expand(o.shape).numpy(), layout))
        return o.combined(op, _side_by_side(o, (value, condition), layout), layout)

    kept = part("keep_where", a, lambda mask, value: torch.where(mask, value, 0.0))
    rest = part("keep_unless", b, lambda mask, value: torch.where(mask, 0.0, value))
    o.enter_combined("add", [kept, rest], layout)


def _common(o: Operands) -> Layout:
    """How the first lies that has all of the result; where none has, as values of its shape usually do."""
    rank, shapes = len(o.shape), o.body.network.shapes
    whole = [v for v in o.inputs if v not in o.body.constants and as_wide(shapes[v], rank) == o.shape]
    if not whole:
        return usual(o.shape)
    base = next((value for value in whole if len(shapes[value]) == rank), whole[0])
    _, layout = o.as_it_is(base)
    by = rank - len(shapes[base])
    pixels, channels = (tuple(dim + by for dim in part) for part in (layout.pixels, layout.channels))
    return Layout(pixels, channels, layout.size)


def _side_by_side(o: Operands, values: tuple[str, ...], layout: Layout) -> list[str]:
    """Their slots. A computed one has all of the result: the program goes over that."""
    slots = [o.beside(value, layout, o.shape) for value in values]
    computed = [index for index, value in enumerate(values) if value not in o.body.constants]
    if all(o.body.sizes[slots[index]] != layout.size for index in computed):
        slots[computed[0]] = o.spread(values[computed[0]], layout, o.shape)
    return slots
