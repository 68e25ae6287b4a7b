"""What calibration learns, beside the network and the scheme it was learnt for. It has no state."""

from __future__ import annotations

from dataclasses import dataclass

from videoquant.network.graph import Network
from videoquant.quantizers.placement import LayerBits, Point, layer_bits, points
from videoquant.quantizers.weights import WeightCodes
from videoquant.schemes import Scheme
from videoquant.simulate.activations import ActivationGrid


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


class Parameters:
    """A network, a scheme, and everything that turns one into the other.

    network: the floating-point graph. scheme: how it is quantized.
    weights: by layer name. grids: by quantizer point. bits, points: where quantizers stand (placement.py).
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
