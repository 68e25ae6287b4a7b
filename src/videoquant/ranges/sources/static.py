"""Static: one grid for all frames, from the average range of the calibration samples."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from videoquant.errors import NetworkError
from videoquant.ranges.estimators.base import Estimator
from videoquant.ranges.grid import Grid, check_scale, span
from videoquant.ranges.predictor import Features
from videoquant.ranges.sources.base import Known, RangeAxis, Value
from videoquant.typed_json import read


@dataclass(frozen=True)
class Static(RangeAxis):
    """Ranges are the calibration samples' average, known before run time."""

    word: ClassVar[str] = "static"


@dataclass(frozen=True)
class StaticGrid:
    """The grid that calibration found, or training."""

    fixed: Grid
    known: ClassVar[Known] = "before"
    predictor: ClassVar[None] = None

    @property
    def first_grid(self) -> Grid:
        return self.fixed

    def grid(self, value: Value, seen: Features) -> Grid:
        return self.fixed

    def describe(self) -> str:
        return "static"

    def to_json(self) -> dict[str, Any]:
        return asdict(self.fixed)

    @classmethod
    def from_json(
        cls, stored: Any, estimator: Estimator, bits: int, symmetric: bool, what: str
    ) -> StaticGrid | None:
        grid: Grid = read(Grid, stored, what, NetworkError)
        first, last = span(bits, symmetric)
        if (grid.low, grid.high) != (first, last) or not first <= grid.zero_point <= last:
            raise NetworkError(
                f"{what}: codes {grid.low} to {grid.high} with zero at {grid.zero_point}; {bits} bits have "
                f"{first} to {last}"
            )
        check_scale(grid.scale, what)
        return cls(grid)
