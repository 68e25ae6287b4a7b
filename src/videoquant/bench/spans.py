"""Which frames of a clip are timed, and which calibrate: runs of consecutive frames all over the clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from videoquant.calibration.sampling import calibration_spans, runs_and_rest
from videoquant.errors import DataError
from videoquant.stopwatch import WARM_UP

RUN = 25  # consecutive frames that are timed: a second of video
TIMED_FRAMES = 200  # where the user names no number


@dataclass(frozen=True)
class Spans:
    """The spans of a clip's frames: `timed` ones, each led by `WARM_UP` frames, and others that calibrate.

    ranges: runs of frames that calibrate, of one length.
    disjoint: whether no frame that is timed calibrates; a short clip has too few for both.
    """

    timed: list[range]
    ranges: list[range]
    disjoint: bool


def plan_spans(count: int, frames: int | None, length: int, runs: int) -> Spans:
    """Divide a clip of `count` frames. frames: how many to time, default `TIMED_FRAMES` or half the clip.

    length, runs: of frames that calibrate.
    Raises `DataError` for a clip with no frame left after the warm-up.
    """
    if count <= WARM_UP:
        raise DataError(f"a clip of {count} frames is too short to time; it needs more than {WARM_UP}")
    wanted = frames or min(TIMED_FRAMES, max(1, count // 2))
    timed, free = runs_and_rest(count, wanted, RUN, WARM_UP)
    disjoint = sum(len(span) // length for span in free) >= runs
    free = free if disjoint else [range(count)]
    ranges = calibration_spans(free, length, runs)
    return Spans(timed, ranges, disjoint)


def positions(spans: Sequence[range]) -> list[int]:
    """The positions in the clip of the frames that are timed, in order."""
    return [position for span in spans for position in span[WARM_UP:]]
