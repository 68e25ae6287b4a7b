"""No grid: at 32 bits a tensor stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from videoquant.axes import FLOAT
from videoquant.ranges.estimators.base import Estimator
from videoquant.ranges.predictor import Features
from videoquant.ranges.sources.base import Known, Value


@dataclass(frozen=True)
class Unquantized:
    """32 bits, or residual frames of a scheme that has none."""

    known: ClassVar[Known] = "before"
    fixed: ClassVar[None] = None
    predictor: ClassVar[None] = None
    first_grid: ClassVar[None] = None

    def grid(self, value: Value, seen: Features) -> None:
        return None

    def describe(self) -> str:
        return ""

    def to_json(self) -> str:
        return "unquantized"

    @classmethod
    def from_json(
        cls, stored: Any, estimator: Estimator, bits: int, symmetric: bool, what: str
    ) -> Unquantized | None:
        return cls() if stored == "unquantized" and bits == FLOAT else None
