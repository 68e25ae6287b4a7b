"""The threshold of Dense + Sparse: T = q_{1−density}(|x|) (QPP, section on Dense + Sparse)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from videoquant.ranges.estimators.base import Array, Estimator, values
from videoquant.ranges.estimators.quantile import upper_quantile
from videoquant.ranges.grid import Grid, Range


@dataclass(frozen=True)
class Threshold(Estimator):
    """The T of Dense + Sparse: the (1 − density)-quantile of |x|, so that this share of elements is above it.

    density: above 0 and at most 0.5. No word names it: a scheme's `ds=` puts it in its estimator's place.

    The range ends at T and begins at −T, or where the tensor does if that is later: a tensor that is hardly
    negative (after a hard-swish) needs few codes there. Where nothing exceeds T, as after a ReLU6 that
    saturates more often than `density`, it ends later by half a step of a grid without a zero point,
    T·(1 + ½/last code): where there is no negative value T then is the last code itself (`Grid.dense`).
    """

    is_dense: ClassVar[bool] = True
    density: float

    def measure(self, x: Array, bits: int, symmetric: bool) -> Range:
        flat = values(x)
        sizes = np.abs(flat)
        threshold = upper_quantile(sizes, 1 - self.density)
        if threshold >= sizes.max():
            threshold *= 1 + 0.5 / (2 ** (bits - symmetric) - 1)
        return (-threshold if symmetric else max(-threshold, min(0.0, float(flat.min())))), threshold

    def grid(self, limits: Range, bits: int, symmetric: bool) -> Grid:
        return Grid.dense(*limits, bits, symmetric)
