"""Dynamic: the range is measured on every input, when the value is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from videoquant.ranges.estimators.base import Estimator
from videoquant.ranges.grid import Grid
from videoquant.ranges.predictor import Features
from videoquant.ranges.sources.base import Known, RangeAxis, Value


@dataclass(frozen=True)
class Dynamic(RangeAxis):
    """Ranges are measured on each input, before each layer."""

    word: ClassVar[str] = "dynamic"
    calibrates: ClassVar[bool] = False

    def at_run_time(self, estimator: Estimator, bits: int, symmetric: bool) -> DynamicGrid:
        return DynamicGrid(estimator, bits, symmetric)


@dataclass(frozen=True)
class DynamicGrid:
    """The grid measured on the tensor itself.

    estimator: what measures it.
    bits: of its codes.
    symmetric: whether it is one of residuals.
    """

    estimator: Estimator
    bits: int
    symmetric: bool
    known: ClassVar[Known] = "value"
    fixed: ClassVar[None] = None
    predictor: ClassVar[None] = None

    @property
    def first_grid(self) -> Grid:
        return self.estimator.grid((-1.0, 1.0), self.bits, self.symmetric)

    def grid(self, value: Value, seen: Features) -> Grid:
        limits = self.estimator.measure(value(), self.bits, self.symmetric)
        return self.estimator.grid(limits, self.bits, self.symmetric)

    def describe(self) -> str:
        return "dynamic"

    def to_json(self) -> str:
        return "dynamic"

    @classmethod
    def from_json(
        cls, stored: Any, estimator: Estimator, bits: int, symmetric: bool, what: str
    ) -> DynamicGrid | None:
        return cls(estimator, bits, symmetric) if stored == "dynamic" else None
