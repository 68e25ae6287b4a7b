"""All the grids that one position predicts, at once and natively: it takes less time than a small layer.

The features and the numbers are those of `quantizers.features` and `PredictedGrid.grid`, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

from videoquant import _native
from videoquant.quantizers.features import sample_steps
from videoquant.quantizers.ranges import Threshold
from videoquant.simulate.activations import PredictedGrid


class Predictions(_native.Predictions):
    """What is predicted from the features of one value.

    shape: of the value, or of the sample of it that features are taken of, in the network. features: their
    names. indices: the plan's grids that are set. sources: how each is predicted.
    """

    def __init__(
        self,
        shape: Sequence[int],
        features: Sequence[str],
        indices: Sequence[int],
        sources: Sequence[PredictedGrid],
    ) -> None:
        super().__init__(
            list(features),
            sample_steps(shape),
            [
                {
                    "index": index,
                    "bits": source.bits,
                    "symmetric": source.symmetric,
                    "dense": isinstance(source.estimator, Threshold),
                    "low": source.predictor.end(0),
                    "high": source.predictor.end(1),
                }
                for index, source in zip(indices, sources, strict=True)
            ],
        )
        self.features, self.indices, self.sources = tuple(features), tuple(indices), tuple(sources)
