"""The part of a network that becomes programs, as lowering collects it (`engine.split`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from videoquant.engine.layout import Layout, map_layout, memory_order
from videoquant.engine.operators import Operator
from videoquant.network.graph import Network, Node, unique
from videoquant.runtime.program import PostprocessNode, ProgramOutput
from videoquant.runtime.sizes import Size, size_of


@dataclass
class Body:
    """The part of a network that becomes programs.

    nodes: in order; they read values by the names that slots have.
    operators: what those nodes become that are neither layers nor elementwise, by name.
    constants: the values that do not depend on the input, by name; those that nodes read are 1×C×H×W.
    sizes: of the other values, h×w×c, by the names of slots.
    renamed: values that lie in the slot of another, such as a permutation of it: name → that slot's.
    layouts: how each value of the network lies in its slot, and how each slot's value does.
    arranged: values that slots have in another order, by slot → (the network's value, its layout there).
    read_by_layers: the slot in which layers read a value, where it is not its own: arranged for them.
    postprocess: the nodes that run after the programs, in order.
    given: the values that programs must give, by their names in the network: its outputs, and what the
        postprocess reads.
    placeless: the nodes whose values are computed in full where a stream has regions (`regions.places`).
    states: the network's states, which slots hold from frame to frame: state → the slot of what it becomes.
    """

    network: Network
    nodes: list[Node] = field(default_factory=list)
    operators: dict[str, Operator] = field(default_factory=dict)
    constants: dict[str, Tensor] = field(default_factory=dict)
    sizes: dict[str, Size] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    layouts: dict[str, Layout] = field(default_factory=dict)
    arranged: dict[str, tuple[str, Layout]] = field(default_factory=dict)
    read_by_layers: dict[str, str] = field(default_factory=dict)
    postprocess: list[PostprocessNode] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    placeless: set[str] = field(default_factory=set)
    states: dict[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """The slot that holds a value of the network."""
        return self.renamed.get(name, name)

    def quantized(self, name: str) -> str:
        """The slot whose codes layers read of a value of the network."""
        return self.read_by_layers.get(name, self.value(name))

    def size(self, value: str) -> Size:
        """The size of a value or a constant."""
        if value not in self.constants:
            return self.sizes[value]
        size = size_of(self.constants[value].shape)
        assert size is not None
        return size

    def number(self, value: str) -> float | None:
        """A constant of one element; None for every other value."""
        constant = self.constants.get(value)
        return float(constant) if constant is not None and constant.numel() == 1 else None

    def output(self, value: str, slot: int) -> ProgramOutput:
        """What the programs give of a value of the network, from its slot."""
        shape, layout = self.network.shapes[value], self.layouts[value]
        plain = layout.flat or layout == map_layout(shape)
        return ProgramOutput(slot, shape, None if plain else memory_order(layout, len(shape)))

    def name_for(self, wish: str) -> str:
        """A name that no value has."""
        return unique(wish, {*self.sizes, *self.constants, *self.network.shapes})
