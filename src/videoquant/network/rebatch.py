"""A network that was exported for several frames at once, rewritten for one.

Everything here counts per frame: MACs, calibration, a stream's state, the engine. A file with a fixed batch
of B says B everywhere, in the sizes of a Reshape too. It is rewritten where every node treats the frames
alike: then the first dimension of each value is B times something, all of one frame before all of the next,
and a Bth of it is what one frame gives.
"""

from __future__ import annotations

from dataclasses import replace

from videoquant.errors import NetworkError
from videoquant.network.graph import Network, Node, unique
from videoquant.network.operators import BY_ROW

BROADCAST = (
    *("add", "sub", "mul", "div", "pow", "fmod", "minimum", "maximum", "equal", "greater", "greater_equal"),
    "where",
)


def one_frame(network: Network) -> Network:
    """The network for an input of 1×C×H×W that gives for a frame what `network` gives for each of its batch.

    One that is for one frame comes back as it is.
    Raises `NetworkError` where a node mixes the frames, or might.
    """
    return network if network.input_shape[0] == 1 else _Rewriting(network).network()


class _Rewriting:
    """Goes through the nodes in order. batched: the values that have the frames in their first dimension."""

    def __init__(self, network: Network) -> None:
        self.old = network
        self.frames = network.input_shape[0]
        self.shapes = network.shapes
        self.batched = {network.input}
        self.nodes: list[Node] = []
        self.tensors = dict(network.tensors)
        self.names = {network.input, *(node.name for node in network.nodes)}

    def network(self) -> Network:
        for node in self.old.nodes:
            if not self.batched.isdisjoint(node.inputs):
                node = self.rewritten(node)
                if self.shapes[node.name][0] % self.frames:
                    raise self.refuse(node, f"gives a value of shape {self.shapes[node.name]}")
                self.batched.add(node.name)
            self.nodes.append(node)
        old = self.old
        for output, value in [*old.outputs.items(), *old.states.items()]:
            if value not in self.batched or self.shapes[value][0] != self.frames:
                raise NetworkError(
                    f"{old.name}: it has a fixed batch of {self.frames}, but its output {output!r} of shape "
                    f"{self.shapes[value]} is not one for each frame; export the network with a batch of 1"
                )
        used = {f"{node.name}.{short}" for node in self.nodes for short in node.tensors}
        tensors = {name: tensor for name, tensor in self.tensors.items() if name in used}
        return old.rewritten(self.nodes, tensors, (1, *old.input_shape[1:]))

    def rewritten(self, node: Node) -> Node:
        """The node for one frame."""
        shape, given = self.shapes[node.name], [self.shapes[name] for name in node.inputs]
        attributes = node.attributes
        match node.op:
            case "state":
                return node
            case op if op in BY_ROW and len(given[0]) >= BY_ROW[op]:
                return node
            case op if op in BROADCAST:
                return self.with_own_constants(node, len(shape))
            case "concat" if attributes["dim"] != 0:
                return self.with_own_constants(node, len(shape))
            case "softmax" | "slice" | "argmax" | "topk_values" | "topk_indices" if attributes["dim"] != 0:
                return node
            case "layer_norm" if attributes["dims"] < len(shape):
                return node
            case "matmul" if all(len(one) == len(shape) > 2 for one in given):
                return self.with_own_constants(node, len(shape))
            case "mean" | "amax" | "amin" | "sum" if 0 not in attributes["dims"]:
                return node
            case "pad" if not any(attributes["padding"][2 * len(shape) - 2 :]):
                return node
            case "permute" if attributes["dims"][0] == 0:
                return node
            case "reshape" if shape and shape[0] % self.frames == 0:
                # Left open, so that as many frames as there are go through.
                first = 0 if shape[0] == given[0][0] else -1
                return replace(node, attributes={"shape": [first, *shape[1:]]})
        raise self.refuse(node, f"reads {given} and gives {shape}")

    def with_own_constants(self, node: Node, rank: int) -> Node:
        """The node of several inputs; of constants that have rows for each frame it reads those of one."""
        inputs = list(node.inputs)
        for place, name in enumerate(inputs):
            shape = self.shapes[name]
            if name in self.batched:
                if len(shape) != rank:
                    raise self.refuse(node, f"reads a value of shape {shape}, fewer dimensions than it gives")
            elif len(shape) == rank and shape[0] != 1:
                inputs[place] = self.rows_of_one(node, name)
            elif len(shape) == rank and node.op == "concat":
                raise self.refuse(node, f"joins a constant of shape {shape} to the frames")
        return replace(node, inputs=tuple(inputs))

    def rows_of_one(self, node: Node, name: str) -> str:
        """A new constant with the rows of one frame, which must be those of every frame."""
        value = self.tensors.get(f"{name}.value")
        if value is None or len(value) % self.frames:
            raise self.refuse(node, f"reads {name!r} of shape {self.shapes[name]}")
        rows = value.reshape(self.frames, -1, *value.shape[1:])
        if not bool((rows == rows[:1]).all()):
            raise self.refuse(node, f"reads {name!r}, whose values are not the same for every frame")
        own = unique(f"{name}.frame", self.names)
        self.names.add(own)
        self.nodes.append(Node(own, "constant", tensors=("value",)))
        self.tensors[f"{own}.value"] = rows[0].contiguous()
        return own

    def refuse(self, node: Node, why: str) -> NetworkError:
        return NetworkError(
            f"{self.old.name}: it has a fixed batch of {self.frames}, which cannot be taken apart: node "
            f"{node.name!r} ({node.op}) {why}; export the network with a batch of 1"
        )
