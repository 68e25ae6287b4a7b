"""What a network's outputs are where one of its last layers gives something else.

What a last layer gives often goes through a function in which most of its error comes to nothing: scores of a
detector are sigmoids, 0 almost everywhere, however wrong the sums below them are. So what is lost at such a
layer is seen in the outputs alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torch import Tensor

from videoquant.calibration.samples import Samples, Shelf
from videoquant.network.graph import Network, Node


class Ends:
    """The part of a network behind each layer that no other quantized one follows, in floating point.

    network: without states.
    quantized: the names of the layers that are quantized.
    """

    def __init__(self, network: Network, quantized: Collection[str]) -> None:
        self._network = network
        self._after: dict[str, list[Node]] = {}  # by layer: what depends on it, in order
        self._beside: dict[str, Samples] = {}  # what else that reads, of every frame
        at_end: dict[str, bool] = {}  # by value: whether no quantized layer follows
        for node in reversed(network.nodes):
            readers = network.readers.get(node.name, [])
            at_end[node.name] = all(at_end[r.name] and r.name not in quantized for r in readers)
            if node.name in quantized and at_end[node.name]:
                self._after[node.name] = self._behind(node)

    def __contains__(self, layer: str) -> bool:
        return layer in self._after

    def learn(self, frames: Sequence[Tensor], shelf: Shelf) -> None:
        """Run the network for what its ends read beside their layers."""
        read = {
            value
            for layer, nodes in self._after.items()
            for node in nodes
            for value in node.inputs
            if value not in {layer, *(other.name for other in nodes)}
        }
        if not read:
            return
        self._beside = {value: shelf.samples() for value in read}

        def compute(node: Node, inputs: list[Tensor]) -> Tensor:
            y = self._network.apply(node, inputs)
            if node.name in read:
                self._beside[node.name].append(y)
            return y

        for x in frames:
            if self._network.input in read:
                self._beside[self._network.input].hold(x)
            self._network.run(x, compute)

    def outputs(self, layer: str, frame: int, y: Tensor) -> list[Tensor]:
        """The outputs that depend on a layer, where it gives y and all other layers what they would."""
        values = {layer: y}
        for node in self._after[layer]:
            inputs = [values[v] if v in values else self._beside[v][frame] for v in node.inputs]
            values[node.name] = self._network.apply(node, inputs)
        return [values[value] for value in self._network.outputs.values() if value in values]

    def _behind(self, layer: Node) -> list[Node]:
        found, nodes = {layer.name}, []
        for node in self._network.nodes:
            if not found.isdisjoint(node.inputs):
                found.add(node.name)
                nodes.append(node)
        return nodes
