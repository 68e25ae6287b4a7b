"""All the grids that one position predicts, at once, so that they take less time than a small layer.

The numbers are those of `PredictedGrid.grid`, one point at a time, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.engine.session import Session
from videoquant.quantizers.grid import SMALLEST_SCALE
from videoquant.quantizers.predictor import Predictor

Array = NDArray[np.float64]


class Predictions:
    """The linear models of a position: ends = A·φ + c, clamped.

    indices: the plan's grids that they set. predictors, bits, symmetric: of each, as in `PredictedGrid`.
    """

    def __init__(
        self,
        indices: Sequence[int],
        predictors: Sequence[Predictor],
        bits: Sequence[int],
        symmetric: Sequence[bool],
    ) -> None:
        self.indices = list(indices)
        # 2 ends × grids × features, and 2 ends × grids
        self.slopes = np.array([p.slopes for p in predictors], np.float64).swapaxes(0, 1)
        self.intercepts, self.least, self.most = (
            np.array(values, np.float64).T
            for values in (
                [p.intercepts for p in predictors],
                [(p.lows[0], p.highs[0]) for p in predictors],
                [(p.lows[1], p.highs[1]) for p in predictors],
            )
        )
        self.symmetric = np.array(symmetric)
        # The last code, counted from the code of 0 where the grid is symmetric.
        self.last = np.array([2 ** (b - s) - 1 for b, s in zip(bits, symmetric, strict=True)])

    def ranges(self, features: Array) -> tuple[Array, Array]:
        """The lower and the upper ends, one per grid."""
        # Feature by feature, since a matrix product may add in another order.
        products = self.slopes[..., 0] * features[0]
        for i in range(1, len(features)):
            products += self.slopes[..., i] * features[i]
        low, high = np.minimum(np.maximum(self.intercepts + products, self.least), self.most)
        return low, high

    def set(self, session: Session, features: Array) -> None:
        """Set every grid for the features of this frame."""
        low, high = self.ranges(features)
        widths = np.where(self.symmetric, high, high - low)
        scale = np.maximum(widths / self.last, SMALLEST_SCALE).astype(np.float32).astype(np.float64)
        zero = np.where(self.symmetric, 128, np.clip(np.rint(-low / scale), 0, self.last)).astype(int)
        first = np.where(self.symmetric, 128 - self.last, 0)
        last = np.where(self.symmetric, 128 + self.last, self.last)
        entries: Any = zip(*(a.tolist() for a in (scale, zero, first, last)), strict=True)
        for index, grid in zip(self.indices, entries, strict=True):
            session.set_grid(index, *grid)
