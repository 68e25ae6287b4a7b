"""Rules of `placing` for nodes that pick or repeat elements: where each comes from is known ahead."""

from __future__ import annotations

import torch
from torch import Tensor

from videoquant.engine.layout import Layout, Reading, laid_out, memory_order, steps_of
from videoquant.engine.operands import Operands, as_wide, usual
from videoquant.engine.operators import CannotLower, Operator


def pick(o: Operands) -> None:
    """Elements by an index that is a constant: the node itself says where each comes from."""
    value, before = o.inputs[0], o.shapes[0]
    if any(index not in o.body.constants for index in o.inputs[1:]):
        raise CannotLower("its index is computed for each frame")
    steps = steps_of(before, o.as_it_is(value)[1])
    places = torch.zeros(tuple(before), dtype=torch.int64)
    for dim, size in enumerate(before):
        places += (torch.arange(size) * steps[dim]).reshape(-1, *[1] * (len(before) - dim - 1))
    found = o.body.network.apply(o.node, [places, *(o.body.constants[index] for index in o.inputs[1:])])
    target = usual(o.shape)
    table = _table(found, target)
    if not torch.equal(table, table[:, :1] + (table[0] - table[0, 0])):  # other channels in each pixel
        whole = laid_out(o.shape, tuple(range(len(o.shape))), ())
        if whole is None:
            raise CannotLower("it picks too many elements")
        target, table = whole, _table(found, whole)
    channels = table[0] - table[0].min()
    attrs = {"pixels": (table[:, 0] - channels[0]).tolist(), "channels": channels.tolist()}
    o.enter([o.body.value(value)], target, Operator("pick", attrs))


def _table(places: Tensor, layout: Layout) -> Tensor:
    """A number for each element, as pixels × channels."""
    return places.permute(memory_order(layout, places.dim())).reshape(-1, layout.size[2])


def tile(o: Operands) -> None:
    """Each dimension, and around it how often it is repeated."""
    value = o.inputs[0]
    before, steps = as_wide(o.shapes[0], len(o.shape)), o.steps(value)
    target = usual(o.shape)
    pixels, channels = (
        tuple(part for dim in dims for part in ((o.shape[dim] // before[dim], 0), (before[dim], steps[dim])))
        for dims in (target.pixels, target.channels)
    )
    o.enter_arranged(value, Reading(pixels, channels), target)
