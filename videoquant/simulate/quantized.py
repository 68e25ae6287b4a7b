"""The quantized network: what calibration learnt, beside the network it was learnt for. It has no state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from videoquant.network.graph import Network
from videoquant.quantizers.placement import LayerBits, Point, layer_bits, points
from videoquant.quantizers.weights import WeightCodes
from videoquant.schemes import Scheme
from videoquant.simulate.activations import ActivationGrid
from videoquant.simulate.stream import Stream


@dataclass(frozen=True)
class LayerWeights:
    """A layer's weights on keyframes and on residual frames; None where they stay in floating point."""

    key: WeightCodes | None
    residual: WeightCodes | None = None


@dataclass(frozen=True)
class PointGrids:
    """A point's grids on keyframes and on residual frames; residual is None without a time axis."""

    key: ActivationGrid
    residual: ActivationGrid | None = None


class QuantizedNetwork:
    """A network and a scheme, calibrated. Made by `videoquant.quantize`, saved by `videoquant.save`.

    network: the floating-point graph. scheme: how it is quantized.
    weights: by layer name. grids: by quantizer point. bits, points: where quantizers stand (placement.py).

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
        self.network = network
        self.scheme = scheme
        self.weights = weights
        self.grids = grids
        self.bits: dict[str, LayerBits] = layer_bits(network, scheme)
        self.points: dict[str, Point] = points(network, self.bits)
        self._own_stream = Stream(self)

    def stream(self) -> Stream:
        """A new stream; streams share these parameters and nothing else."""
        return Stream(self)

    def __call__(self, frame: Any) -> Tensor | dict[str, Tensor]:
        """Feed the next frame to this object's own stream; see `Stream.__call__`."""
        return self._own_stream(frame)

    def reset(self) -> None:
        """Let this object's own stream start again from a keyframe."""
        self._own_stream.reset()
