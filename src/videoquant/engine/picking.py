"""Rules of `placing` for nodes that pick elements by index, by size or at places of a map, or repeat them."""

from __future__ import annotations

import torch
from torch import Tensor

from videoquant.engine.layout import Layout, Reading, laid_out, memory_order, steps_of, strided
from videoquant.engine.operands import Operands, as_wide, usual
from videoquant.engine.operators import CannotLower, Operator


def pick(o: Operands) -> None:
    """Elements by an index. Where that is a constant, the node itself says where each comes from."""
    value, before = o.inputs[0], o.shapes[0]
    if any(index not in o.body.constants for index in o.inputs[1:]):
        return _gather(o)
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


def _gather(o: Operands) -> None:
    """Elements by an index that each frame computes.

    own, by_index: how far apart in x and in the index neighbours along each dimension of the result lie.
    named: the dimensions of x whose indices those are, `offsets` behind each other.
    """
    (x, index), (before, indices) = o.inputs, o.shapes
    (slot, layout), (index_slot, index_layout) = o.as_it_is(x), o.as_it_is(index)
    steps = list(steps_of(before, layout).values())
    index_steps = list(steps_of(indices, index_layout).values())
    offsets, named = [0], [o.node.attributes.get("dim", 0)]
    if o.node.op == "gather":
        dim = named[0]
        own = [*steps[:dim], *[0] * len(indices), *steps[dim + 1 :]]
        by_index = [*[0] * dim, *index_steps, *[0] * (len(before) - dim - 1)]
    elif o.node.op == "gather_elements":
        own = [0 if dim == named[0] else step for dim, step in enumerate(steps)]
        by_index = index_steps
    else:
        batch, lead = o.node.attributes["batch_dims"], len(indices) - 1
        named = list(range(batch, batch + indices[-1]))
        offsets = [index_steps[-1] * number for number in range(len(named))]
        rest = steps[batch + len(named) :]
        own = [*steps[:batch], *[0] * (lead - batch), *rest]
        by_index = [*index_steps[:-1], *[0] * len(rest)]
    target = usual(o.shape)
    if any(by_index[dim] for dim in target.channels):  # other channels in each pixel
        whole = laid_out(o.shape, tuple(range(len(o.shape))), ())
        if whole is None:
            raise CannotLower("it picks too many elements")
        target = whole
    attrs = {"parts": len(named), "part_offsets": offsets}
    attrs |= {"part_steps": [steps[dim] for dim in named], "part_sizes": [before[dim] for dim in named]}
    for name, dims, by in (
        ("pixel", target.pixels, own),
        ("channel", target.channels, own),
        ("index", target.pixels, by_index),
    ):
        attrs |= strided(name, [(o.shape[dim], by[dim]) for dim in dims])
    o.enter([slot, index_slot], target, Operator("gather", attrs))


def most_extreme(o: Operands) -> None:
    """TopK and ArgMax: of the channels of each pixel."""
    a, before = o.node.attributes, o.shapes[0]
    dim = a["dim"] % len(before)
    slot, layout = o.read(o.inputs[0], channels=(dim,))
    attrs = {"largest": a.get("largest", True), "indices": o.node.op != "topk_values"}
    gone = dim if o.node.op == "argmax" and not a["keepdim"] else len(before)
    pixels = tuple(other - (other > gone) for other in layout.pixels)
    channels = (dim,) if o.node.op != "argmax" and o.shape[dim] > 1 else ()
    size = (*layout.size[:2], o.shape[dim] if channels else 1)
    o.enter([slot], Layout(pixels, channels, size), Operator("topk", attrs))


def grid_sample(o: Operands) -> None:
    a, (n, _, height, width) = o.node.attributes, o.shapes[0]
    if a["mode"] == "bicubic":
        raise CannotLower("cubic sampling is no operator of the engine")
    if o.shapes[1][0] != n:
        raise CannotLower("its maps and places are of other numbers")
    target = laid_out(o.shape, (0, 2, 3) if n > 1 else (2, 3), (1,))
    if target is None:
        raise CannotLower("its maps are too long")
    slot, _ = o.read(o.inputs[0], (0, 2, 3), (1,))
    grid, _ = o.read(o.inputs[1], (0, 1, 2), (3,))
    attrs = {"batches": n, "rows": height, "columns": width}
    o.enter([slot, grid], target, Operator("grid_sample", {**attrs, **a}))


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
