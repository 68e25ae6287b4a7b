"""Fusion: an elementwise node runs inside the operator whose output it reads, on values in registers.

Where it reads two values, it runs inside the operator that comes later. So an operator gets a list of steps,
and a value in the middle of that list which others read is stored there. A node is not fused where the steps
have already gone on from the value it reads: then it becomes a `map` of its own, a pass over memory.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from videoquant.engine.body import Body
from videoquant.engine.elementwise import BINARY, is_elementwise
from videoquant.network.graph import Node


@dataclass
class Group:
    """One operator and the nodes that run in its program.

    head: the operator's node; None for a map, which begins with a value that is stored (or is the input).
    begin: the value that the program begins with.
    nodes: the elementwise nodes, in order.
    """

    head: Node | None
    begin: str
    nodes: list[Node] = field(default_factory=list)

    @property
    def values(self) -> list[str]:
        """The values that pass through the program, in order."""
        return [self.begin, *(node.name for node in self.nodes)]

    def operand(self, index: int) -> str | None:
        """What a node reads beside the value that the program holds; None where it reads only that."""
        node = self.nodes[index]
        if node.op not in BINARY:
            return None
        first, second = node.inputs
        return second if first == self.values[index] else first


def fuse(body: Body, input: str) -> list[Group]:
    """The groups of a body, in the order they run; the first are the maps of the network's input and states.

    Values that are placeless and such as are not do not go through one program: regions compute other pixels.
    """
    groups = [Group(None, value) for value in (input, *body.states)]
    # value → the group that gives it; a constant is there from the start
    made = {group.begin: index for index, group in enumerate(groups)}
    for node in body.nodes:
        index = _continues(node, groups, made, body) if is_elementwise(node) else None
        if index is not None:
            groups[index].nodes.append(node)
        elif is_elementwise(node):
            groups.append(Group(None, _widest(node, body), [node]))
            index = len(groups) - 1
        else:
            groups.append(Group(node, node.name))
            index = len(groups) - 1
        made[node.name] = index
    return groups


def read_as_float(body: Body, groups: Sequence[Group], layers: Collection[str]) -> set[str]:
    """The values that nodes or outputs read as float32, beside the programs that they pass through.

    layers: the names of those that read their input at a quantizer point.
    """
    floats = {body.value(value) for value in body.given} | {*body.states.values()}
    for group in groups:
        if group.head is None:
            floats.add(group.begin)
        elif group.head.name not in layers:
            floats.update(group.head.inputs)
        operands = [group.operand(index) for index in range(len(group.nodes))]
        floats.update(value for value in operands if value is not None and body.number(value) is None)
    return floats


def _continues(node: Node, groups: Sequence[Group], made: dict[str, int], body: Body) -> int | None:
    """The group whose program an elementwise node continues: the last that gives an input of it; or None."""
    computed = [value for value in node.inputs if value in made]
    index = max(made[value] for value in computed)
    group = groups[index]
    reached = group.values[-1]
    same = (reached in body.placeless) == (node.name in body.placeless)
    return index if reached in computed and same and body.sizes[reached] == body.sizes[node.name] else None


def _widest(node: Node, body: Body) -> str:
    """The input that a map of its own begins with: one that has the result's size."""
    size = body.sizes[node.name]
    return next(v for v in node.inputs if v not in body.constants and body.sizes[v] == size)
