"""The values that a node reads, in the order in which it wants them: as they lie, or arranged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch

from videoquant.engine.body import Body
from videoquant.engine.layout import Dims, Layout, Reading, in_memory, laid_out, steps_of
from videoquant.engine.operators import CannotLower, Operator
from videoquant.network.graph import Node
from videoquant.runtime.sizes import Size, size_of

Shape = Sequence[int]


def as_wide(shape: Shape, rank: int) -> tuple[int, ...]:
    """A shape of more dimensions, as it broadcasts."""
    return (1,) * (rank - len(shape)) + tuple(shape)


def usual(shape: Shape) -> Layout:
    """How a value lies that nothing else says: maps as they do, of others the last dimension as channels."""
    rank = len(shape)
    if rank == 4 and shape[0] == 1:
        layout = laid_out(shape, (2, 3), (1,))
    else:
        layout = laid_out(shape, tuple(range(rank - 1)), (rank - 1,) if rank else ())
    if layout is None:
        raise CannotLower(f"a value of {'×'.join(map(str, shape))} is too long")
    return layout


class Operands:
    """What a node reads and gives, while it enters a body.

    inputs: the names of what it reads, in the network. shapes: theirs. shape: of what it gives.
    """

    def __init__(self, body: Body, node: Node, shape: Shape) -> None:
        self.body, self.node, self.shape = body, node, tuple(shape)
        self.inputs = node.inputs
        self.shapes = [body.network.shapes[value] for value in node.inputs]

    # What goes into the body

    def enter(self, slots: Sequence[str], layout: Layout, operator: Operator | None = None) -> None:
        """The node, which reads these slots and gives a value that lies so."""
        node = self.node
        self.body.sizes[node.name] = layout.size
        self.body.layouts[node.name] = layout
        if operator is not None:
            self.body.operators[node.name] = operator
        self.body.nodes.append(Node(node.name, node.op, tuple(slots), node.attributes, node.tensors))

    def enter_combined(self, op: str, slots: Sequence[str], layout: Layout) -> None:
        """The node is another operation, of two slots."""
        self.body.sizes[self.node.name] = layout.size
        self.body.layouts[self.node.name] = layout
        self.body.nodes.append(Node(self.node.name, op, tuple(slots)))

    def combined(self, op: str, slots: Sequence[str], layout: Layout) -> str:
        """A slot of its own with an operation of two slots, which lies so."""
        made = self.body.name_for(f"{self.node.name} {op}")
        self.body.sizes[made] = layout.size
        if not self.body.placeless.isdisjoint(slots):
            self.body.placeless.add(made)
        self.body.nodes.append(Node(made, op, tuple(slots)))
        return made

    def reduced(self, slot: str, operator: Operator, size: Size) -> str:
        """A slot of its own with what an operator makes of all places of a slot."""
        made = self.body.name_for(f"{self.node.name} {operator.kind}")
        self.body.sizes[made], self.body.operators[made] = size, operator
        self.body.placeless.add(made)
        self.body.nodes.append(Node(made, operator.kind, (slot,)))
        return made

    def number(self, number: float) -> str:
        name = self.body.name_for(f"{number:g}")
        self.body.constants[name] = torch.tensor(number, dtype=torch.float32, device="cpu")
        return name

    def rename(self, value: str, layout: Layout) -> None:
        """The node moves nothing: its value is another, by other dimensions."""
        self.body.renamed[self.node.name] = self.body.value(value)
        self.body.layouts[self.node.name] = layout

    def enter_arranged(self, value: str, reading: Reading, layout: Layout) -> None:
        self.enter([self.body.value(value)], layout, Operator("arrange", reading.attributes))

    # What the node reads

    def steps(self, value: str) -> list[int]:
        """How far apart its neighbours along each dimension of the result lie; 0 where it is spread."""
        shape, (_, layout) = self.body.network.shapes[value], self.as_it_is(value)
        found = steps_of(shape, layout)
        return [0] * (len(self.shape) - len(shape)) + [found[dim] for dim in range(len(shape))]

    def as_it_is(self, value: str) -> tuple[str, Layout]:
        """The slot of a value and how it lies; a constant as values of its shape usually do."""
        if value in self.body.constants:
            return self._constant(value, usual(self.body.network.shapes[value]))
        layout = self.body.layouts[value]
        if layout.flat:
            raise CannotLower(f"it reads the flattened map {value!r}, which linear layers alone do")
        return self.body.value(value), layout

    def read(
        self,
        value: str,
        pixels: Dims | None = None,
        channels: Dims = (),
        rows: tuple[int, int] | None = None,
    ) -> tuple[str, Layout]:
        """The slot that has a value in this order, and how it lies there.

        pixels: default what is left, in the order in which it lies. rows: the height and width that the slot
        must have, where it matters.
        """
        shape = self.body.network.shapes[value]
        channels = tuple(dim for dim in channels if shape[dim] > 1)
        layout = None if value in self.body.constants else self.as_it_is(value)[1]
        if pixels is None:
            order = usual(shape).order if layout is None else layout.order
            pixels = tuple(dim for dim in order if dim not in channels)
        shown = tuple(dim for dim in pixels if shape[dim] > 1)
        lies_so = layout is not None and (layout.pixels, layout.channels) == (shown, channels)
        if layout is not None and lies_so and rows in (None, layout.size[:2]):
            return self.body.value(value), layout
        target = laid_out(shape, pixels, channels)
        if target is None:
            raise CannotLower(f"{value!r} of {'×'.join(map(str, shape))} is too long")
        if rows is not None:
            target = Layout(target.pixels, target.channels, (*rows, target.size[2]))
        if layout is None:
            return self._constant(value, target)
        return self._arranged(value, self.reading(value, target, shape), target), target

    def read_map(self, value: str) -> tuple[str, Layout]:
        """A value 1×C×H×W as maps lie."""
        size = size_of(self.body.network.shapes[value])
        if size is None or len(self.body.network.shapes[value]) != 4:
            raise CannotLower(f"it reads {self.body.network.shapes[value]}; the engine's reads 1×C×H×W")
        return self.read(value, (2, 3), (1,), rows=size[:2])

    def beside(self, value: str, layout: Layout, shape: Shape) -> str:
        """The slot of an operand of a node whose result of `shape` lies so.

        It has all pixels or one, and all channels or one; what broadcasts otherwise is spread.
        """
        constant = self.body.constants.get(value)
        if constant is not None and constant.numel() == 1:
            return value
        own = as_wide(self.body.network.shapes[value], len(shape))
        more = len(shape) - len(self.body.network.shapes[value])
        parts, sizes = [], []
        for part in (layout.pixels, layout.channels):
            shown = [own[dim] > 1 for dim in part]
            if any(shown) and not all(shown):
                return self.spread(value, layout, shape)
            parts.append(part if any(shown) else ())
            sizes.append(bool(part) and all(shown))
        rows = layout.size[:2] if sizes[0] else (1, 1)
        pixels, channels = (tuple(dim - more for dim in part) for part in parts)
        return self.read(value, pixels, channels, rows)[0]

    def reading(self, value: str, target: Layout, shape: Shape) -> Reading:
        """How a value is read that is to lie so, spread to a larger shape where it is smaller."""
        _, layout = self.as_it_is(value)
        own = self.body.network.shapes[value]
        steps, more = steps_of(own, layout), len(shape) - len(own)
        along = [0] * more + [steps[dim] for dim in range(len(own))]
        return Reading(
            tuple((shape[dim], along[dim]) for dim in target.pixels),
            tuple((shape[dim], along[dim]) for dim in target.channels),
        )

    def reading_reshaped(self, layout: Layout, before: Shape, target: Layout) -> Reading | None:
        """How a value is read that is to have another shape and lie so; None where that cuts it anew."""
        parts = _parts(before, self.shape)
        if parts is None:
            return None
        steps = steps_of(before, layout)
        for old, pieces in parts.old.items():
            step = steps[old]
            for piece in reversed(pieces):
                parts.steps[piece] = step
                step *= parts.sizes[piece]
        pixels, channels = (
            tuple((parts.sizes[piece], parts.steps[piece]) for dim in part for piece in parts.new[dim])
            for part in (target.pixels, target.channels)
        )
        return Reading(pixels, channels)

    def spread(self, value: str, layout: Layout, shape: Shape) -> str:
        """The slot that has a value in a larger shape, which it broadcasts to."""
        if value in self.body.constants:
            whole = self.body.constants[value].expand(tuple(shape))
            return self.hold(f"{value} spread", in_memory(whole.detach().numpy(), layout))
        return self._arranged(value, self.reading(value, layout, shape), layout, spread=True)

    def _arranged(self, value: str, reading: Reading, layout: Layout, spread: bool = False) -> str:
        """The slot that has a value in another order; made where no slot has it yet."""
        body = self.body
        for slot, known in body.arranged.items():
            if known == (value, layout) and not spread:
                return slot
        slot = body.name_for(f"{value} arranged")
        if not spread:
            body.arranged[slot] = (value, layout)
        body.sizes[slot] = layout.size
        body.operators[slot] = Operator("arrange", reading.attributes)
        if layout.pixels:
            body.placeless.add(slot)
        body.nodes.append(Node(slot, "arrange", (body.value(value),)))
        return slot

    def _constant(self, value: str, layout: Layout) -> tuple[str, Layout]:
        memory = in_memory(self.body.constants[value].detach().numpy(), layout)
        return self.hold(f"{value} laid out", memory), layout

    def hold(self, wish: str, memory: object) -> str:
        """A constant h×w×c under a name of its own, as 1×C×H×W."""
        name = self.body.name_for(wish)
        self.body.constants[name] = torch.as_tensor(memory).permute(2, 0, 1)[None]
        return name


class _Parts:
    """A reshape's dimensions in their common parts. old, new: dimension → parts, by number; sizes, steps."""

    def __init__(self) -> None:
        self.old: dict[int, list[int]] = {}
        self.new: dict[int, list[int]] = {}
        self.sizes: list[int] = []
        self.steps: dict[int, int] = {}


def _parts(before: Shape, after: Shape) -> _Parts | None:
    """None where an edge of one shape lies within a part of the other."""
    ends = [_ends(shape) for shape in (before, after)]
    whole = math.prod(before)
    cuts = sorted({1, whole, *ends[0], *ends[1]})
    parts = _Parts()
    for low, high in pairwise(cuts):
        if high % low:
            return None
        parts.sizes.append(high // low)
    spans = list(pairwise(cuts))
    for shape, found in ((before, parts.old), (after, parts.new)):
        end = 1
        for dim in reversed(range(len(shape))):
            low, end = end, end * shape[dim]
            found[dim] = [i for i, span in enumerate(spans) if low <= span[0] and span[1] <= end][::-1]
    return parts


def _ends(shape: Shape) -> list[int]:
    """The products of the last one, two, … sizes."""
    ends, product = [], 1
    for size in reversed(shape):
        product *= size
        ends.append(product)
    return ends
