"""From what a calibration pass saw at a quantizer to the source of its grids: what static ranges learn.

A scheme's other ranges learn in files of their own, as subclasses: `predicted_fit.py`. The table of all is in
`calibrate.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from videoquant.calibration.evidence import Evidence
from videoquant.network.graph import Network
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.ranges.estimators import Estimator, Pooling
from videoquant.ranges.sources import DynamicGrid, RangeSource, StaticGrid
from videoquant.schemes import Scheme
from videoquant.simulate.parameters import FeatureSpec, LayerWeights
from videoquant.simulate.quantized import QuantizedNetwork

Array = NDArray[np.float64]
Progress = Callable[[], None]


@dataclass(frozen=True)
class Seen:
    """What a pass saw at one quantizer, on keyframes or on residual frames.

    point, estimator, bits, symmetric: of the quantizer; symmetric on residual frames.
    ranges: samples × 2, as the estimator measured them.
    sources: samples, the number of the clip that each is from.
    pooling: how they become one; "together" where `ranges` hold that one, for every sample alike.
    shown: samples, whether each shows a range at all; a residual does not where nothing moves.
    features: by value, samples × features, of those that the fit has watched.
    evidence: what the frames did not show; a fit adds the points at which something stands in.
    """

    point: QuantizationPoint
    estimator: Estimator
    bits: int
    symmetric: bool
    ranges: Array
    sources: NDArray[np.int64]
    pooling: Pooling
    shown: NDArray[np.bool_]
    features: Mapping[str, Array]
    evidence: Evidence


class RangeFit:
    """The static fit: one range of all samples. Others override what they learn in another way.

    watched: the values whose features the pass takes, and which: `Seen.features`.
    per_sample: whether `Seen.ranges` must be each sample's own, also where one for all could be found.
    """

    def __init__(self, watched: Mapping[str, FeatureSpec] | None = None, per_sample: bool = False) -> None:
        self.watched, self.per_sample = dict(watched or {}), per_sample

    @classmethod
    def walks(cls, scheme: Scheme) -> int:
        """How many passes `prepared` needs, before the one that learns."""
        return 0

    @classmethod
    def prepared(
        cls,
        network: Network,
        scheme: Scheme,
        weights: Mapping[str, LayerWeights],
        clips: Sequence[Sequence[Tensor]],
        progress: Progress | None,
    ) -> Self:
        """The fit of a network's quantizers, with whatever it must find out before the pass."""
        return cls()

    def source(self, seen: Seen) -> RangeSource:
        """Where a quantizer's grids come from."""
        return self.fixed(seen)

    def checked(self, quantized: QuantizedNetwork, clips: Sequence[Sequence[Tensor]]) -> QuantizedNetwork:
        """What a pass with this fit learnt, after a look at the outputs on the frames that it saw."""
        return quantized

    def fixed(self, seen: Seen) -> RangeSource:
        """The grid of one range for all samples; measured at run time where there is none to learn."""
        low, high = pooled(seen.ranges[seen.shown], seen.pooling, seen.sources[seen.shown])
        if seen.evidence.blank or low == high:
            if not seen.symmetric:
                seen.evidence.unseen.append(seen.point)
            return DynamicGrid(seen.estimator, seen.bits, seen.symmetric)
        return StaticGrid(seen.estimator.grid((low, high), seen.bits, seen.symmetric))


def pooled(ranges: Array, pooling: Pooling, sources: NDArray[np.int64]) -> tuple[float, float]:
    """One range of several, samples × 2, by the clips that they are from.

    The samples of each clip become one by `pooling`; of these it is the widest, since no clip is an exception
    among the others: by night everything is darker.
    """
    of_clips = np.array([_one(ranges[sources == source], pooling) for source in np.unique(sources)])
    return float(of_clips[:, 0].min()), float(of_clips[:, 1].max())


def _one(ranges: Array, pooling: Pooling) -> Array:
    mean: Array = ranges.mean(0)
    largest = np.array([ranges[:, 0].min(), ranges[:, 1].max()])
    ways: dict[str, Array] = {"halfway": (mean + largest) / 2, "largest": largest}
    return ways.get(pooling, mean)
