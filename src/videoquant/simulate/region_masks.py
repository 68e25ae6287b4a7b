"""A frame's regions as the simulation needs them: of every stream of a batch, as masks of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from videoquant.network.graph import Network, Node
from videoquant.regions.places import POINTWISE, has_map
from videoquant.regions.region import Region


class Places:
    """Which values of a network a region has pixels of.

    placeless: the names of those that are computed anew in full (`regions.places`).
    flat: the height and width of maps that lie flattened in a vector N×(C·h·w), by the vector's name.
    held: the nodes whose values differ from what is computed of held ones, so that they are held themselves.
    """

    def __init__(self, network: Network) -> None:
        self._shapes = shapes = network.shapes
        self.placeless = network.placeless
        self.flat = {
            node.name: size
            for node in network.nodes
            if node.op == "reshape"
            and len(shapes[node.name]) == 2
            and (size := self.map_size(node.inputs[0])) is not None
        }
        self.held = {network.input} | {node.name for node in network.nodes if not self._follows(node)}

    def map_size(self, value: str) -> tuple[int, int] | None:
        """The height and width of a map that lies in its place; None of what is computed in full."""
        shape = self._shapes[value]
        return (shape[2], shape[3]) if has_map(shape) and value not in self.placeless else None

    def _follows(self, node: Node) -> bool:
        size = self.map_size(node.name)
        if node.is_layer:  # of residual schemes, what one gives depends on the kind of frame
            return False
        if size is None:  # computed in full, of inputs that stay where no block is new
            return True
        pointwise = node.op in POINTWISE or (node.op == "concat" and node.attributes["dim"] == 1)
        return pointwise and all(self.map_size(value) == size for value in node.inputs)


class RegionMasks:
    """The regions of one frame of N streams.

    whole: whether all of them are computed as without regions.
    """

    def __init__(self, regions: Sequence[Region], grow: int) -> None:
        self.whole = all(region.whole for region in regions)
        self._regions, self._grow = regions, grow
        self._any = torch.tensor([bool(region.blocks.any()) for region in regions])
        self._mask = cache(self._computed)

    def _computed(self, height: int, width: int) -> Tensor:
        masks = [region.mask(height, width, self._grow) for region in self._regions]
        return torch.from_numpy(np.stack(masks))[:, None]

    def count(self, size: tuple[int, int] | None) -> tuple[int, int]:
        """How many pixels of all streams' maps are new, and how many there are. None: of what has no map."""
        mask = self._any if size is None else self._mask(*size)
        return int(mask.sum()), mask.numel()

    def choose(self, size: tuple[int, int] | None, new: Tensor, old: Tensor) -> Tensor:
        """The new values inside the region, the old ones elsewhere.

        size: of the map, which may lie flattened in a vector; None where there is none.
        """
        if size is None:
            mask = self._any.reshape(-1, *[1] * (new.dim() - 1))
        else:
            mask = self._mask(*size)
            if new.dim() == 2:
                mask = mask.expand(-1, new.shape[1] // mask[0].numel(), -1, -1).flatten(1)
        return torch.where(mask, new, old)
