"""Least squared error: (a, b) = argmin Σ (Q(x; a, b) − x)², found by search (`quantizers/mse_search.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from videoquant.ranges.estimators.base import MANY, InPyTorch, Pooling


@dataclass(frozen=True)
class MSE(InPyTorch):
    """The clip that minimises the mean squared error of the quantized tensor."""

    word: ClassVar[str] = "mse"
    clips_weights: ClassVar[bool] = True
    module: ClassVar[str] = "videoquant.quantizers.mse_search"

    def pooling(self, bits: int) -> Pooling:
        return "by-layers" if bits >= MANY else "mean"
