"""What each node needs of how its inputs lie in slots, and how its own value lies: a rule for each operator.

A rule takes its inputs as they lie where it can, else has them arranged, and enters the node into the body.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from videoquant.engine.body import Body
from videoquant.engine.combining import combination, where
from videoquant.engine.elementwise import BINARY, is_elementwise
from videoquant.engine.layout import Layout, Reading, laid_out, permuted, reshaped, steps_of, strided
from videoquant.engine.operands import Operands, usual
from videoquant.engine.operators import CannotLower, Operator, operator
from videoquant.engine.picking import grid_sample, most_extreme, pick, tile
from videoquant.network.graph import Node
from videoquant.runtime.sizes import size_of

Rule = Callable[[Operands], None]
_RULES: dict[str, Rule] = {}
LARGEST_KERNEL = 341  # the taps of a plan's convolution


def place(body: Body, node: Node) -> None:
    """Enter a node into a body. Raises `CannotLower` for what the engine does not compute."""
    shape = body.network.shapes[node.name]
    if math.prod(shape) == 0:
        raise CannotLower("it gives nothing")
    operands = Operands(body, node, shape)
    if node.is_layer:
        _layer(operands)
    elif node.op in BINARY:
        combination(operands)
    elif is_elementwise(node):
        _unary(operands)
    elif node.op in _RULES:
        _RULES[node.op](operands)
    else:
        raise CannotLower(f"{node.op} is no operator of the engine")


def _of(*ops: str) -> Callable[[Rule], Rule]:
    def enter(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(ops, rule))
        return rule

    return enter


def _layer(o: Operands) -> None:
    """Convolutions read maps, but for those of one pixel; linear layers the last dimension as channels."""
    node, value, shape = o.node, o.inputs[0], o.shapes[0]
    layout = o.body.layouts[value]
    if node.op == "linear":
        last = len(shape) - 1
        slot, read = (o.body.value(value), layout) if layout.flat else o.read(value, channels=(last,))
        pixels, channel = (() if layout.flat else read.pixels), last
        rows = (1, 1) if layout.flat else read.size[:2]
    else:
        if len(shape) != 4 or shape[0] != 1:
            raise CannotLower(f"it reads {_text(shape)}; the engine's reads 1×C×H×W")
        kernel = o.body.network.tensors[f"{node.name}.weight"].shape[2:]
        a = node.attributes
        single = node.op == "conv2d" and {*kernel, *a["stride"]} == {1} and not any(a["padding"])
        slot, read = o.read(value, channels=(1,)) if single else o.read_map(value)
        pixels, channel = (read.pixels if single else (2, 3)), 1
        size = size_of(o.shape)
        assert size is not None
        rows = read.size[:2] if single else size[:2]
    if o.body.read_by_layers.setdefault(value, slot) != slot:
        raise CannotLower(f"two layers read {value!r} in different orders")
    shown = tuple(dim for dim in pixels if o.shape[dim] > 1)
    channels = (channel,) if o.shape[channel] > 1 else ()
    o.enter([slot], Layout(shown, channels, (*rows, o.shape[channel])))


def _unary(o: Operands) -> None:
    value = o.inputs[0]
    by_channel = o.node.op in ("affine", "prelu") and len(o.shape) > 1
    slot, layout = o.read(value, channels=(1,)) if by_channel else o.as_it_is(value)
    o.enter([slot], layout)


@_of("reshape")
def _reshape(o: Operands) -> None:
    value, before = o.inputs[0], o.shapes[0]
    _, layout = o.as_it_is(value)
    found = reshaped(layout, before, o.shape)
    if found is not None:
        return o.rename(value, found)
    readers = o.body.network.readers.get(o.node.name, ())
    is_map = len(before) == 4 and layout.pixels + layout.channels == tuple(
        dim for dim in (2, 3, 1) if before[dim] > 1
    )
    as_kernel = is_map and math.prod(before[2:]) <= LARGEST_KERNEL and o.shape == (1, math.prod(before))
    if as_kernel and all(reader.op == "linear" for reader in readers):
        # A linear layer reads a flattened map as a convolution does whose kernel is as large (layers.py).
        return o.rename(value, Layout((), (1,), layout.size, flat=True))
    target = usual(o.shape)
    reading = o.reading_reshaped(layout, before, target)
    if reading is not None:
        return o.enter_arranged(value, reading, target)
    # First as the reshape counts its elements, then in the sizes that it cuts anew.
    slot, _ = o.read(value, tuple(range(len(before))), ())
    dims = tuple(dim for dim, size in enumerate(o.shape) if size > 1)
    steps = steps_of(o.shape, Layout(dims, (), target.size))
    pixels, channels = (
        tuple((o.shape[dim], steps[dim]) for dim in part) for part in (target.pixels, target.channels)
    )
    o.enter([slot], target, Operator("arrange", Reading(pixels, channels).attributes))


@_of("permute")
def _permute(o: Operands) -> None:
    value = o.inputs[0]
    o.rename(value, permuted(o.as_it_is(value)[1], o.node.attributes["dims"]))


@_of("slice")
def _slice(o: Operands) -> None:
    """A slot's rows, columns or channels are cut by `slice`, everything else is read in steps."""
    value, before = o.inputs[0], o.shapes[0]
    a = o.node.attributes
    dim, start, step = a["dim"], a["start"], a.get("step", 1)
    _, layout = o.as_it_is(value)
    if before[dim] == 1:
        return o.rename(value, layout)
    pixels, channels = (tuple(d for d in part if o.shape[d] > 1) for part in (layout.pixels, layout.channels))
    sizes = layout.size
    within = math.prod(before[d] for d in layout.channels[1:])
    slots = {1: "rows", 2: "columns"}
    if layout.channels[:1] == (dim,) and (step == 1 or within == 1):
        attrs = {"dim": 3, "start": start * within, "step": step}
        target = Layout(pixels, channels, (*sizes[:2], o.shape[dim] * within))
        return o.enter([o.body.value(value)], target, Operator("slice", attrs))
    for axis in slots:
        if (
            layout.pixels == (2, 3)[: len(layout.pixels)]
            and dim == axis + 1
            and sizes[axis - 1] == before[dim]
        ):
            attrs = {"dim": axis, "start": start, "step": step}
            size = (o.shape[dim], sizes[1], sizes[2]) if axis == 1 else (sizes[0], o.shape[dim], sizes[2])
            return o.enter([o.body.value(value)], Layout(pixels, channels, size), Operator("slice", attrs))
    found = laid_out(o.shape, pixels, channels)
    if found is None:
        raise CannotLower(f"{_text(o.shape)} is too long")
    steps = steps_of(before, layout)
    reading = Reading(
        tuple((o.shape[d], steps[d] * (step if d == dim else 1)) for d in found.pixels),
        tuple((o.shape[d], steps[d] * (step if d == dim else 1)) for d in found.channels),
        start * steps[dim],
    )
    o.enter_arranged(value, reading, found)


@_of("expand")
def _expand(o: Operands) -> None:
    value = o.inputs[0]
    target = usual(o.shape)
    o.enter_arranged(value, o.reading(value, target, o.shape), target)


@_of("concat")
def _concat(o: Operands) -> None:
    """Channels are put side by side in each pixel, pixels one after another; all else is arranged."""
    dim = o.node.attributes["dim"]
    computed = [value for value in o.inputs if value not in o.body.constants]
    layouts = [o.as_it_is(value)[1] for value in computed]
    first = next((lay for v, lay in zip(computed, layouts, strict=True) if _size(o, v)[dim] > 1), layouts[0])
    others = tuple(d for d in first.order if d != dim)
    if dim in first.channels or (not first.channels and dim not in first.pixels):
        pixels = tuple(d for d in first.pixels if d != dim)
        channels = (dim, *(d for d in first.channels if d != dim))
        read = [o.read(value, pixels, channels, rows=first.size[:2]) for value in o.inputs]
        width = sum(layout.size[2] for _, layout in read)
        return o.enter(
            [slot for slot, _ in read], Layout(pixels, channels, (*first.size[:2], width)), Operator("concat")
        )
    channels = tuple(d for d in others if d in first.channels)
    pixels = (dim, *(d for d in others if d in first.pixels))
    read = [o.read(value, pixels, channels) for value in o.inputs]
    target = laid_out(o.shape, (2, 3) if pixels == (2, 3) else pixels, channels)
    if target is None:
        raise CannotLower(f"{_text(o.shape)} is too long")
    o.enter([slot for slot, _ in read], target, Operator("join"))


def _size(o: Operands, value: str) -> tuple[int, ...]:
    return o.body.network.shapes[value]


@_of("softmax")
def _softmax(o: Operands) -> None:
    slot, layout = o.read(o.inputs[0], channels=(o.node.attributes["dim"],))
    o.enter([slot], layout, Operator("softmax"))


@_of("layer_norm")
def _layer_norm(o: Operands) -> None:
    rank = len(o.shape)
    slot, layout = o.read(o.inputs[0], channels=tuple(range(rank - o.node.attributes["dims"], rank)))
    o.enter([slot], layout, Operator("layer_norm", {"eps": o.node.attributes["eps"]}))


@_of("instance_norm", "group_norm")
def _instance_norm(o: Operands) -> None:
    if o.shape[0] != 1:
        raise CannotLower(f"it reads {_text(o.shape)}, several frames")
    slot, layout = o.read(o.inputs[0], channels=(1,))
    groups = o.node.attributes.get("groups")
    attrs = {"eps": o.node.attributes["eps"]} | ({} if groups is None else {"groups": groups})
    o.enter([slot], layout, Operator("instance_norm", attrs))


@_of("mean", "amax", "amin", "sum")
def _reduce(o: Operands) -> None:
    """What is reduced are the pixels, what is left the channels. The least is −1 times the largest of −x."""
    value, before = o.inputs[0], o.shapes[0]
    _, layout = o.as_it_is(value)
    gone = {dim for dim in o.node.attributes["dims"] if before[dim] > 1}
    kept = tuple(dim for dim in layout.order if dim not in gone)
    pixels = layout.pixels if set(layout.pixels) == gone else tuple(sorted(gone))
    slot, read = o.read(value, pixels, kept)
    keep = o.node.attributes["keepdim"]
    all_gone = sorted(o.node.attributes["dims"])
    channels = tuple(dim if keep else dim - sum(other < dim for other in all_gone) for dim in kept)
    target = Layout((), channels, (1, 1, read.size[2]))
    made = Operator({"mean": "global_pool", "sum": "global_sum"}.get(o.node.op, "global_max"))
    if o.node.op == "amin":
        less = o.number(-1.0)
        most = o.reduced(o.combined("mul", [slot, less], read), made, target.size)
        o.enter_combined("mul", [most, less], target)
    else:
        o.enter([slot], target, made)


@_of("matmul")
def _matmul(o: Operands) -> None:
    """The first is read as rows of what is summed over, the second in steps; either may be spread."""
    (a, b), rank = o.inputs, len(o.shape)
    first, second = o.shapes
    if min(len(first), len(second)) < 2:
        raise CannotLower(f"it multiplies {_text(first)} and {_text(second)}")
    batch, row, last = tuple(range(rank - 2)), rank - 2, rank - 1
    whole = (*o.shape[:-1], first[-1])
    if tuple(first) == whole:
        slot, _ = o.read(a, (*batch, row), (last,))
    else:
        rows = laid_out(whole, (*batch, row), (last,))
        if rows is None:
            raise CannotLower(f"{_text(whole)} is too long")
        slot = o.spread(a, rows, whole)
    other, steps = o.as_it_is(b)[0], o.steps(b)
    attrs = strided("batch", [(o.shape[dim], steps[dim]) for dim in batch])
    attrs |= {"rows": o.shape[row], "inner_step": steps[row], "column_step": steps[last]}
    target = laid_out(o.shape, (*batch, row), (last,))
    if target is None:
        raise CannotLower(f"{_text(o.shape)} is too long")
    o.enter([slot, other], target, Operator("matmul", attrs))


_of("gather", "gather_elements", "gather_nd")(pick)
_of("tile")(tile)
_of("topk_values", "topk_indices", "argmax")(most_extreme)
_of("grid_sample")(grid_sample)
_of("where")(where)


@_of("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "resize", "pixel_shuffle", "pad")
def _of_maps(o: Operands) -> None:
    made = operator(o.node, [tuple(shape) for shape in o.shapes], o.shape)
    slot, _ = o.read_map(o.inputs[0])
    size = size_of(o.shape)
    if size is None or len(o.shape) != 4:
        raise CannotLower(f"it gives {_text(o.shape)}; the engine's gives 1×C×H×W")
    target = laid_out(o.shape, (2, 3), (1,))
    assert target is not None
    o.enter([slot], target, made)


def _text(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "a number"
