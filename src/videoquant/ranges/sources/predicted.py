"""Predicted: the range is A·φ + c, from features φ of an earlier activation of the same frame (QPP)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from videoquant.axes import set_whole
from videoquant.errors import SchemeError
from videoquant.ranges.estimators.base import Estimator
from videoquant.ranges.grid import Grid
from videoquant.ranges.predictor import Features, Predictor, predictor_from_json
from videoquant.ranges.sources.base import Known, RangeAxis, Value

PREDICTION_FRAMES = 64  # to predict ranges, which is to learn a line and not a number
PREDICTION_RUNS = 16


@dataclass(frozen=True)
class Predicted(RangeAxis):
    """Ranges are predicted from a few numbers of the network's early activations (QPP).

    features: how many numbers, 1 to 49: all there are (the default), of which ridge regression takes what
        helps. 5 are those of the paper: the quantiles 0.9, 0.99, 0.999, mean and maximum; any other number is
        chosen by an F-test.
    positions: where they are taken; what follows each, up to the next, is predicted from it. "first-relu"
        (the first activation function), "input", names of layers or modules (what enters them), or "auto:N"
        alone: the first activation and N − 1 more, where they help most. Default 12 in all.
    """

    word: ClassVar[str] = "qpp"
    expects: ClassVar[str] = "whole number of features"
    features: int = 49
    positions: tuple[str, ...] = ("auto:12",)

    def __post_init__(self) -> None:
        set_whole(self, features="qpp")
        if isinstance(self.positions, str):
            raise SchemeError(f"at={self.positions}: positions are a tuple of names: ({self.positions!r},)")
        object.__setattr__(self, "positions", tuple(self.positions))
        if not 1 <= self.features <= 49:
            raise SchemeError(f"qpp={self.features}: the number of features is 1 to 49")
        if not self.positions or not all(self.positions):
            raise SchemeError('at= names no position; write e.g. "first-relu", "input" or "auto:4"')
        autos = [position for position in self.positions if position.partition(":")[0] == "auto"]
        if autos and (self.automatic is None or self.automatic < 1 or len(self.positions) > 1):
            raise SchemeError(
                f"at={','.join(self.positions)}: write auto:N, with N at least 1, and nothing else"
            )

    @property
    def automatic(self) -> int | None:
        """The N of "auto:N"; None where positions are named."""
        word, colon, count = self.positions[0].partition(":")
        return int(count) if word == "auto" and colon and count.isdecimal() else None

    @classmethod
    def from_text(cls, value: str) -> Predicted:
        return cls(int(value))

    def __str__(self) -> str:
        return self.word if self.features == Predicted().features else f"{self.word}={self.features}"

    def calibration_runs(self, period: int) -> int:
        """About `PREDICTION_FRAMES` frames in all."""
        return max(PREDICTION_RUNS, PREDICTION_FRAMES // period)


@dataclass(frozen=True)
class PredictedGrid:
    """The grid predicted from what was seen of this frame at an earlier position.

    predictor: the linear model of the range.
    estimator: whose ranges it has learnt.
    bits: of the grid's codes.
    symmetric: whether it is one of residuals.
    """

    predictor: Predictor
    estimator: Estimator
    bits: int
    symmetric: bool
    known: ClassVar[Known] = "features"
    fixed: ClassVar[None] = None

    @property
    def first_grid(self) -> Grid:
        return self.estimator.grid(self.predictor.average, self.bits, self.symmetric)

    def grid(self, value: Value, seen: Features) -> Grid:
        return self.estimator.grid(self.predictor(seen), self.bits, self.symmetric)

    def describe(self) -> str:
        return f"{self.predictor.position} {self.predictor.quality:.2f}"

    def to_json(self) -> dict[str, Any]:
        return {"predictor": asdict(self.predictor)}

    @classmethod
    def from_json(
        cls, stored: Any, estimator: Estimator, bits: int, symmetric: bool, what: str
    ) -> PredictedGrid | None:
        if not isinstance(stored, dict) or "predictor" not in stored:
            return None
        return cls(predictor_from_json(stored["predictor"], what), estimator, bits, symmetric)
