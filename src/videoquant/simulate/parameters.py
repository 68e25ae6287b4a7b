"""What calibration learns, beside the network and the scheme it was learnt for. It has no state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from videoquant.errors import SchemeError
from videoquant.network.graph import Network
from videoquant.quantizers.placement import LayerBits, QuantizationPoint, layer_bits, points
from videoquant.quantizers.weights import WeightCodes
from videoquant.ranges.features import SAMPLES, features
from videoquant.ranges.sources import RangeSource
from videoquant.schemes import Scheme
from videoquant.simulate.activations import as_array


@dataclass(frozen=True)
class LayerWeights:
    """A layer's weights; None where they stay in floating point.

    key: on keyframes, or on every frame without a time axis.
    residual: on residual frames; the same object as `key` where both have the same bits.
    residual_bias: on residual frames, of a layer that reads the frame's own codes there
        (`PointGrids.of_frame`): its corrected bias, C_out; None is the network's.
    """

    key: WeightCodes | None
    residual: WeightCodes | None = None
    residual_bias: Tensor | None = None


@dataclass(frozen=True)
class PointGrids:
    """Where a point's grids come from.

    key: on keyframes, or on every frame without a time axis.
    residual: on residual frames; None without a time axis.
    of_frame: residual frames take the frame's own codes here and no difference: `residual` is a static grid
        of the value itself, and layers that read it add their bias, as on frames without a time axis.
    """

    key: RangeSource
    residual: RangeSource | None = None
    of_frame: bool = False


@dataclass(frozen=True)
class FeatureSpec:
    """The features that predictors read of one value, by their names in `ranges.features.POOL`.

    key: of the value itself, on keyframes.
    residual: of the magnitude of its difference from the same value on the reference frame, on residual
        frames; of the magnitude, since a residual's range is symmetric.
    samples: about how many elements they are taken of.
    """

    key: tuple[str, ...] = ()
    residual: tuple[str, ...] = ()
    samples: int = SAMPLES

    def extract(self, x: Tensor, reference: Tensor | None) -> NDArray[np.float64]:
        """The features of a value, in the order of their names.

        x: the value, N×C×H×W or N×C.
        reference: None on keyframes; on residual frames the same value on the reference frame.
        """
        if reference is None:
            return features(as_array(x), self.key, self.samples)
        return features(as_array((x - reference).abs()), self.residual, self.samples)


class Parameters:
    """A network, a scheme, and everything that turns one into the other.

    network: the floating-point graph.
    scheme: how it is quantized.
    weights: by layer name.
    grids: by quantizer point.
    bits, points: where quantizers stand (placement.py).
    watched: what predictors read, by the name of the value.
    Raises `SchemeError` for regions of a network with states.
    """

    def __init__(
        self,
        network: Network,
        scheme: Scheme,
        weights: dict[str, LayerWeights],
        grids: dict[QuantizationPoint, PointGrids],
    ) -> None:
        check_states(network, scheme)
        self.network = network
        self.scheme = scheme
        self.weights = weights
        self.grids = grids
        self.bits: dict[str, LayerBits] = layer_bits(network, scheme)
        self.points: dict[str, QuantizationPoint] = points(network, self.bits)
        self.watched: dict[str, FeatureSpec] = watched(grids.values())


def check_states(network: Network, scheme: Scheme) -> None:
    """Raise `SchemeError` for a scheme with regions of a network with states: what is held knows none."""
    if scheme.regions is not None and network.states:
        raise SchemeError(
            f"{scheme}: {network.name} has states ({', '.join(network.states)}), which regions do not hold; "
            "quantize it without them"
        )


def watched(grids: Iterable[PointGrids]) -> dict[str, FeatureSpec]:
    """What the predictors among these grids read."""
    key: dict[str, tuple[str, ...]] = {}
    residual: dict[str, tuple[str, ...]] = {}
    samples: dict[str, int] = {}
    for pair in grids:
        for grid, names in ((pair.key, key), (pair.residual, residual)):
            if grid is not None and grid.predictor is not None:
                names[grid.predictor.position] = grid.predictor.features
                samples[grid.predictor.position] = grid.predictor.samples
    return {
        value: FeatureSpec(key.get(value, ()), residual.get(value, ()), count)
        for value, count in samples.items()
    }
