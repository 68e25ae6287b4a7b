"""What a source of ranges is: the word of a scheme that asks for it, and what gives one quantizer its grid.

A scheme's `RangeAxis` says where ranges come from; calibration makes a `RangeSource` of it for every
quantizer, on keyframes and on residual frames. Streams, files, the engine and reports ask the source.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Protocol, Self

from videoquant.ranges.estimators.base import Array, Estimator
from videoquant.ranges.grid import Grid
from videoquant.ranges.predictor import Features, Predictor

# When a quantizer's grid is known: before the network runs, when features of an earlier value have been
# taken, or when the value is there that it quantizes.
Known = Literal["before", "features", "value"]
# The value, or its residual, in the network's shape. Only sources that look at it call this.
Value = Callable[[], Array]

CALIBRATION_FRAMES = 16  # about so many; enough for the ranges of one scene
CALIBRATION_RUNS = 3  # and of long cycles no fewer runs than this


class RangeAxis:
    """Where a scheme's ranges come from: frozen, a value of the scheme.

    word: its name in a scheme's text.
    expects: what stands after "=" there, in words, such as "whole number of features"; empty: nothing does.
    calibrates: whether it learns from samples; else its sources are made without any (`at_run_time`).
    """

    word: ClassVar[str]
    expects: ClassVar[str] = ""
    calibrates: ClassVar[bool] = True

    @classmethod
    def from_text(cls, value: str) -> Self:
        """The value of "word=value". Raises `ValueError` where `expects` is not met."""
        raise ValueError(value)

    def __str__(self) -> str:
        """Its words in a scheme's text, which the parser reads back."""
        return self.word

    def calibration_runs(self, period: int) -> int:
        """How many runs of a cycle's length calibrate it. period: T, in frames; 1 without a time axis."""
        return max(CALIBRATION_RUNS, CALIBRATION_FRAMES // period)

    def at_run_time(self, estimator: Estimator, bits: int, symmetric: bool) -> RangeSource:
        """The source of a quantizer that learns nothing; only where `calibrates` is False."""
        raise NotImplementedError(self.word)


class RangeSource(Protocol):
    """Where one quantizer's grid comes from, on keyframes or on residual frames. It has no state."""

    @property
    def known(self) -> Known:
        """When a frame's grid is known."""

    @property
    def fixed(self) -> Grid | None:
        """The grid, where all frames have the same; training learns its scale."""

    @property
    def predictor(self) -> Predictor | None:
        """What the range is computed with, where it is known from features."""

    @property
    def first_grid(self) -> Grid | None:
        """A grid with as many codes as every frame's, which stands until one is known; None at 32 bits."""

    def grid(self, value: Value, seen: Features) -> Grid | None:
        """The grid of this frame; None at 32 bits.

        seen: what has been taken of this frame, by the position (`Predictor.position`).
        """

    def describe(self) -> str:
        """A few words for people: `videoquant inspect`."""

    def to_json(self) -> Any:
        """What a saved network holds of it; `from_json` reads it back."""

    @classmethod
    def from_json(
        cls, stored: Any, estimator: Estimator, bits: int, symmetric: bool, what: str
    ) -> RangeSource | None:
        """The source that `to_json` wrote; None where `stored` is of another kind.

        estimator, bits, symmetric: what the scheme has at this quantizer.
        what: begins messages.
        Raises `NetworkError` for one of this kind that no quantizer of these bits can have.
        """
