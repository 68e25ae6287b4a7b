"""Least error to a power: (a, b) = argmin Σ |Q(x; a, b) − x|^p, found by search (`quantizers/mse_search.py`).

Above p = 2 clipping costs more than rounding, so less is clipped than by least squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from videoquant.errors import SchemeError
from videoquant.ranges.estimators.base import Array, InPyTorch
from videoquant.ranges.grid import Range


@dataclass(frozen=True)
class LeastPower(InPyTorch):
    """The clip that minimises the sum of |error|^p.

    power: p, 1 to 8.
    """

    word: ClassVar[str] = "lp"
    expects: ClassVar[str] = "power between 1 and 8"
    clips_weights: ClassVar[bool] = True
    module: ClassVar[str] = "videoquant.quantizers.mse_search"
    power: float = 3.0

    def __post_init__(self) -> None:
        if not 1 <= self.power <= 8:
            raise SchemeError(f"lp={self.power:g}: the power of the error is 1 to 8")
        object.__setattr__(self, "power", float(self.power))

    def measure(self, x: Array, bits: int, symmetric: bool) -> Range:
        return self._imported()(x, bits, symmetric, self.power)

    @classmethod
    def from_text(cls, value: str) -> LeastPower:
        return cls(float(value))

    def __str__(self) -> str:
        return f"lp={self.power!r}"
