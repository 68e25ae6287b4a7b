"""What predicted ranges learn: a linear model per quantizer, from features at the last position before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from torch import Tensor

from videoquant.calibration.predicted_choice import better_predicted
from videoquant.calibration.predictors import LEAST_SAMPLES, fit
from videoquant.calibration.range_fit import Progress, RangeFit, Seen
from videoquant.calibration.survey import select_predictor_inputs, survey_needed
from videoquant.network.graph import Network
from videoquant.quantizers.placement import layer_bits, points
from videoquant.quantizers.positions import responsible
from videoquant.ranges.sources import Predicted, PredictedGrid, RangeSource
from videoquant.schemes import Scheme
from videoquant.simulate.parameters import FeatureSpec, LayerWeights
from videoquant.simulate.quantized import QuantizedNetwork

# Of the average's error on samples left out at most must remain: what saves less is not worth its features.
GAIN = 0.95


class PredictedFit(RangeFit):
    """Predictors where they beat the average range of the samples, and that where they do not.

    It stands too where samples are few or do not vary, and where no position comes before; where positions
    are chosen (`auto:N`), also at those that take the outputs away (`predicted_choice.py`).

    watched: the positions and their features.
    network, scheme: whose quantizers they serve.
    """

    def __init__(self, network: Network, scheme: Scheme, watched: Mapping[str, FeatureSpec]) -> None:
        super().__init__(watched, per_sample=True)
        self._positions = responsible(network, watched, points(network, layer_bits(network, scheme)))
        self._network = network
        self._chooses = isinstance(scheme.ranges, Predicted) and scheme.ranges.automatic is not None
        self._static: dict[RangeSource, RangeSource] = {}  # what each source that predicts stands in for

    @classmethod
    def walks(cls, scheme: Scheme) -> int:
        return int(survey_needed(scheme))

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
            return self.fixed(seen)
        watched = self.watched[position]
        names = watched.residual if seen.symmetric else watched.key
        if len(known) < LEAST_SAMPLES or (seen.evidence.same and not seen.symmetric):
            seen.evidence.unvaried.append(seen.point)
            return self.fixed(seen)
        predictor = fit(position, names, seen.features[position][seen.shown], known, watched.samples)
        if predictor.quality > GAIN:
            return self.fixed(seen)
        source = PredictedGrid(predictor, seen.estimator, seen.bits, seen.symmetric)
        self._static[source] = self.fixed(seen)
        return source

    def checked(self, quantized: QuantizedNetwork, clips: Sequence[Sequence[Tensor]]) -> QuantizedNetwork:
        if not self._chooses:
            return quantized
        return better_predicted(quantized, self._network, self._static, clips)
