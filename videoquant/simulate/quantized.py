"""The quantized network as its user holds it: parameters that open streams."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from videoquant.network.graph import Network
from videoquant.quantizers.placement import Point
from videoquant.schemes import Scheme
from videoquant.simulate.parameters import LayerWeights, Parameters, PointGrids
from videoquant.simulate.stream import Stream


class QuantizedNetwork(Parameters):
    """A network and a scheme, calibrated. Made by `videoquant.quantize`, saved by `videoquant.save`.

    `quantized.stream()` opens a stream of frames with its own state; calling `quantized(frame)` feeds one
    that belongs to this object.
    """

    def __init__(
        self,
        network: Network,
        scheme: Scheme,
        weights: dict[str, LayerWeights],
        grids: dict[Point, PointGrids],
    ) -> None:
        super().__init__(network, scheme, weights, grids)
        self._own_stream = self.stream()

    def stream(self) -> Stream:
        """A new stream; streams share these parameters and nothing else."""
        return Stream(self)

    def __call__(self, frame: Any) -> Tensor | dict[str, Tensor]:
        """Feed the next frame to this object's own stream; see `Stream.__call__`."""
        return self._own_stream(frame)

    def reset(self) -> None:
        """Let this object's own stream start again from a keyframe."""
        self._own_stream.reset()
