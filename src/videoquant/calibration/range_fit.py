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

Array = NDArray[np.float64]
Progress = Callable[[], None]


@dataclass(frozen=True)
class Seen:
    """What a pass saw at one quantizer, on keyframes or on residual frames.

    point, estimator, bits, symmetric: of the quantizer; symmetric on residual frames.
    ranges: samples × 2, as the estimator measured them.
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
        return self.fixed(seen, seen.ranges[seen.shown])

    def fixed(self, seen: Seen, ranges: Array) -> RangeSource:
        """The grid of one range for all samples; measured at run time where there is none to learn."""
        low, high = pooled(ranges, seen.pooling)
        if seen.evidence.blank or low == high:
            if not seen.symmetric:
                seen.evidence.unseen.append(seen.point)
            return DynamicGrid(seen.estimator, seen.bits, seen.symmetric)
        return StaticGrid(seen.estimator.grid((low, high), seen.bits, seen.symmetric))


def pooled(ranges: Array, pooling: Pooling) -> tuple[float, float]:
    """One range of several: samples × 2."""
    mean, largest = ranges.mean(0), np.array([ranges[:, 0].min(), ranges[:, 1].max()])
    low, high = {"halfway": (mean + largest) / 2, "largest": largest}.get(pooling, mean).tolist()
    return low, high
