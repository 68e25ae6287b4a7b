"""What a scheme shall keep, e.g. "mask IoU >= 0.98", and how surely a row does."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from statistics import variance
from typing import Any, Literal

from scipy.special import stdtrit

from videoquant.comparison import Comparison, Row
from videoquant.errors import SchemeError
from videoquant.tasks import Measure

SQNR = Measure("sqnr_db", "SQNR", "dB", digits=1)
# What is kept where nobody says: 0.99 of a share, 1% of a distance, of pictures an error of 1% of the peak,
# that is 40 dB; where there is no task, noise of 1% of the signal's power.
KEPT = {"": 0.99, "%": 1.0, "dB": 40.0}
KEPT_SQNR = 20.0
PIECE = 12  # frames that follow each other are alike: so many at most stand for one draw
FEWEST = 3  # pieces: fewer have no spread to speak of
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Wish:
    """A measure, and what it shall be at least, or at most where lower is better.

    place: where rows have it: "agreement", "accuracy", or "" for the SQNR.
    """

    measure: Measure
    bound: float
    place: Literal["agreement", "accuracy", ""] = "agreement"

    def __str__(self) -> str:
        sign = "≥" if self.measure.higher_is_better else "≤"
        return f"{self.label} {sign} {self.bound:g} {self.measure.unit}".rstrip()

    @property
    def label(self) -> str:
        return self.measure.label + (" (labels)" if self.place == "accuracy" else "")

    def value(self, row: Row) -> float | None:
        """What a row has of it over all frames, None where they show nothing that it measures."""
        if not self.place:
            return row.sqnr_db
        found: dict[str, float] = getattr(row, self.place)
        return found.get(self.measure.name)

    def of_frame(self, frame: Mapping[str, Any]) -> float | None:
        """What one of `Row.per_frame` has of it."""
        if not self.place:
            return frame["sqnr_db"]  # type: ignore[no-any-return]
        found: float | None = frame.get(self.place, {}).get(self.measure.name)
        return found

    def kept(self, value: float) -> bool:
        return self.measure.gain(value, self.bound) >= 0

    def interval(self, row: Row, stills: bool = False) -> tuple[float, float] | None:
        """Between which values it lies on other such frames, with 95% confidence; None of too few frames.

        Student's t over the means of pieces of at most `PIECE` frames that follow each other, around the
        value of all frames. Of several clips it is about other frames of these clips: each is a stratum of
        its own, and a value is their mean. stills: every frame is a piece.
        """
        value, clips = self.value(row), [one for one in row.clips.values() if self.value(one) is not None]
        strata = [
            [math.fsum(piece) / len(piece) for piece in self._pieces(one.per_frame, stills)]
            for one in clips or [row]
        ]
        if value is None or min(map(len, strata)) < FEWEST:
            return None
        error = math.sqrt(math.fsum(variance(means) / len(means) for means in strata)) / len(strata)
        freedom = sum(len(means) - 1 for means in strata)
        away = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
        most = 1.0 if self.measure.unit == "" else math.inf
        return max(0.0, value - away), min(most, value + away)

    def surely_kept(self, row: Row, stills: bool = False) -> bool:
        """Whether the whole interval keeps it."""
        between = self.interval(row, stills)
        return between is not None and all(map(self.kept, between))

    def _pieces(self, frames: Sequence[dict[str, Any]], stills: bool) -> Iterator[list[float]]:
        piece: list[float] = []
        for before, frame in pairwise([None, *frames]):
            assert frame is not None
            follows = before is not None and frame["frame"] == before["frame"] + 1 and not stills
            if piece and (not follows or len(piece) == PIECE):
                yield piece
                piece = []
            value = self.of_frame(frame)
            if value is not None:
                piece.append(value)
        if piece:
            yield piece


def default_wish(comparison: Comparison) -> Wish:
    """Within 1% of what fp32 gives, by the task's first measure; without a task 20 dB of SQNR."""
    if comparison.measures:
        measure = comparison.measures[0]
        return Wish(measure, KEPT[measure.unit])
    return Wish(SQNR, KEPT_SQNR, "")


def read_wish(text: str, measures: Sequence[Measure], accuracy: Sequence[Measure]) -> Wish:
    """A wish in words: "MEASURE >= X" or "MEASURE <= X", by a measure's name or label.

    measures: against fp32. accuracy: against labels; called "… (labels)".
    Raises `SchemeError` for other words, and for a measure that there is not, with the nearest ones.
    """
    known = {measure.label.lower(): Wish(measure, 0.0) for measure in measures}
    known |= {measure.name.lower(): Wish(measure, 0.0) for measure in measures}
    known |= {f"{measure.label.lower()} (labels)": Wish(measure, 0.0, "accuracy") for measure in accuracy}
    known |= {"sqnr": Wish(SQNR, 0.0, "")}
    names = list(dict.fromkeys(wish.label for wish in known.values()))
    said = re.fullmatch(r"\s*(.+?)\s*(>=|≥|<=|≤)\s*([-+.\d eE]+?)\s*(%|dB)?\s*", text)
    try:
        if said is None:
            raise ValueError
        name, sign, bound = said[1].lower(), said[2], float(said[3])
        if math.isinf(bound):
            raise ValueError
    except ValueError:
        raise SchemeError(
            f'--keep "{text}": it must be MEASURE >= X or MEASURE <= X, e.g. "{names[0]} >= 0.98"'
        ) from None
    if name not in known:
        near = get_close_matches(name, known, n=1)
        meant = f"did you mean {known[near[0]].label}? " if near else ""
        raise SchemeError(f"--keep: {said[1]} is not measured here; {meant}there are {', '.join(names)}")
    wish = known[name]
    if wish.measure.higher_is_better != (sign in (">=", "≥")):
        better = "higher" if wish.measure.higher_is_better else "lower"
        raise SchemeError(f'--keep "{text}": of {wish.label} {better} is better; turn the sign')
    if wish.measure.unit == "" and not 0 <= bound <= 1:
        raise SchemeError(f'--keep "{text}": {wish.label} is a share, from 0 to 1, e.g. 0.98 for 98%')
    return Wish(wish.measure, bound, wish.place)
