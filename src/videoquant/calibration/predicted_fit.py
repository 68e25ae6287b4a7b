"""What predicted ranges learn: a linear model per quantizer, from features at the last position before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from torch import Tensor

from videoquant.calibration.predictors import fit, samples_needed
from videoquant.calibration.range_fit import Progress, RangeFit, Seen
from videoquant.calibration.survey import select_predictor_inputs, survey_needed
from videoquant.errors import DataError
from videoquant.network.graph import Network
from videoquant.quantizers.placement import layer_bits, points
from videoquant.quantizers.positions import responsible
from videoquant.ranges.sources import Predicted, PredictedGrid, RangeSource
from videoquant.schemes import Scheme
from videoquant.simulate.parameters import FeatureSpec, LayerWeights


class PredictedFit(RangeFit):
    """Predictors where the samples vary, and the average range where they do not or no position comes before.

    watched: the positions and their features.
    network, scheme: whose quantizers they serve.
    """

    def __init__(self, network: Network, scheme: Scheme, watched: Mapping[str, FeatureSpec]) -> None:
        super().__init__(watched, per_sample=True)
        self._positions = responsible(network, watched, points(network, layer_bits(network, scheme)))

    @classmethod
    def walks(cls, scheme: Scheme) -> int:
        return int(survey_needed(scheme))

    @classmethod
    def check(cls, scheme: Scheme, clips: Sequence[Sequence[Tensor]]) -> None:
        assert isinstance(scheme.ranges, Predicted)
        features = scheme.ranges.features
        needed = samples_needed(features)
        counts = {"keyframes" if scheme.period > 1 else "frames": len(clips)}
        if scheme.period > 1:
            counts["residual frames"] = sum(len(clip) - 1 for clip in clips)
        for kind, count in counts.items():
            if count < needed:
                raise DataError(
                    f"{scheme}: predicting ranges from {features} features needs at least {needed} "
                    f"calibration {kind}; got {count}"
                )

    @classmethod
    def prepared(
        cls,
        network: Network,
        scheme: Scheme,
        weights: Mapping[str, LayerWeights],
        clips: Sequence[Sequence[Tensor]],
        progress: Progress | None,
    ) -> Self:
        watched = select_predictor_inputs(network, scheme, weights, clips, progress)
        return cls(network, scheme, watched)

    def source(self, seen: Seen) -> RangeSource:
        position, known = self._positions.get(seen.point), seen.ranges[seen.shown]
        if position is None or not known.any() or seen.evidence.blank:
            return self.fixed(seen, known)
        watched = self.watched[position]
        names = watched.residual if seen.symmetric else watched.key
        enough = seen.shown.all() or len(known) >= samples_needed(len(names))
        if not enough or (seen.evidence.same and not seen.symmetric):
            seen.evidence.unvaried.append(seen.point)
            return self.fixed(seen, known)
        predictor = fit(position, names, seen.features[position][seen.shown], known)
        return PredictedGrid(predictor, seen.estimator, seen.bits, seen.symmetric)
