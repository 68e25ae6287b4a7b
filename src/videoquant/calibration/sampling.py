"""Which frames of a clip are scored and which calibrate: runs of consecutive frames, all over the clip."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from torch import Tensor

from videoquant.data.joined import JoinedClip
from videoquant.data.video import Clip, Frame, frames
from videoquant.errors import DataError
from videoquant.network.graph import Network
from videoquant.runtime.clock import Clock
from videoquant.schemes import Scheme

_Item = TypeVar("_Item")

LEAD = 7  # frames before those that calibrate, in which a network with states finds them

SCORED_FRAMES = 60  # scored where the user names no number
RUN = 12  # consecutive frames of one scored run: whole cycles of T = 2, 3, 4, 6 and 12
RUNS = 10  # of few frames, shorter runs are scored rather than fewer: frames side by side say the same
FOLLOWED_RUNS = 5  # where what a frame costs hangs on the one before: a run's first frame is as a cut


@dataclass(frozen=True)
class Split:
    """The spans of a clip's frames that are scored, and the spans between them, free to calibrate on.

    disjoint is False where a clip is too short for both: then the free spans are the scored ones.
    """

    scored: list[range]
    free: list[range]
    disjoint: bool = True


def split(count: int, frames: int | None, periods: Sequence[int], runs: int = RUNS) -> Split:
    """Divide a clip of `count` frames for schemes of these periods.

    frames: how many to score; None scores `SCORED_FRAMES`, or two thirds of a shorter clip.
    Scored runs hold whole cycles of every period, about `RUN` frames or, of few frames, what makes about so
    many runs. They begin equal parts of the clip, so that they see all of it; the rest of each part is
    free, and holds a cycle wherever the clip has room for that.
    """
    cycle = math.lcm(*periods)
    if frames is None:
        frames = min(SCORED_FRAMES, max(1, count * 2 // 3))
    frames = min(frames, count)
    longest = RUN if RUN % cycle == 0 else cycle
    shortest = min(longest, max(1, frames // (runs * cycle)) * cycle)
    for run in range(shortest, longest + 1, cycle):
        parts = math.ceil(frames / run)
        if count // parts >= run + max(periods):
            break
    scored, free = runs_and_rest(count, frames, run)
    if not any(len(span) >= max(periods) for span in free):
        return Split(scored, scored, disjoint=False)
    return Split(scored, free)


def runs_and_rest(count: int, wanted: int, run: int, lead: int = 0) -> tuple[list[range], list[range]]:
    """`wanted` of `count` frames in runs of `run` that begin equal parts of the clip, and the spans between.

    lead: frames of every run before those that are wanted. A clip too short for several runs has one.
    """
    parts = math.ceil(wanted / run)
    if parts * (lead + run) > count:
        parts, run = 1, min(wanted, count - lead)
    begins = starts(count, parts)
    runs = [range(begin, begin + lead + min(run, wanted - i * run)) for i, begin in enumerate(begins)]
    rest = [range(a.stop, end) for a, end in zip(runs, [*begins[1:], count], strict=True) if a.stop < end]
    return runs, rest


def starts(count: int, parts: int) -> list[int]:
    """Where equal parts of `count` items begin."""
    return [i * count // parts for i in range(parts)]


def whole(clip: Clip, live_frames: int) -> list[range]:
    """All of a clip as one span: `live_frames` of a camera, which has no end."""
    return [range(live_frames if clip.is_live else len(clip))]


def calibration_runs(scheme: Scheme) -> int:
    """How many runs of a cycle's length calibrate a scheme."""
    return scheme.ranges.calibration_runs(scheme.period)


def run_length(network: Network, scheme: Scheme) -> int:
    """Consecutive frames of a run that calibrates: a cycle, of a network with states behind `LEAD` others."""
    return scheme.period + (LEAD if network.states else 0)


def calibration_spans(free: Sequence[range], length: int, wanted: int) -> list[range]:
    """`wanted` runs of `length` frames, evenly chosen from the free spans; fewer where no more fit."""
    runs = [range(i, i + length) for span in free for i in range(span.start, span.stop - length + 1, length)]
    runs = runs or [span[:length] for span in free]  # spans shorter than a run give what they have
    return evenly(runs, wanted)


def spans_of_clips(free: Sequence[Sequence[range]], length: int, wanted: int) -> list[range]:
    """`calibration_spans` of several clips, each with an equal share, and one run at least.

    free: the free spans of each clip.
    """
    shares = [max(1, wanted * (i + 1) // len(free) - wanted * i // len(free)) for i in range(len(free))]
    each = zip(free, shares, strict=True)
    return [span for spans, share in each for span in calibration_spans(spans, length, share)]


def evenly(items: Sequence[_Item], wanted: int) -> list[_Item]:
    """`wanted` of the items, from the middles of equal parts; all where there are no more."""
    wanted = min(len(items), wanted)
    return [items[(2 * i + 1) * len(items) // (2 * wanted)] for i in range(wanted)]


def calibration_clips(network: Network, source: Any, scheme: Scheme) -> list[Run]:
    """Inputs for `calibrate` from what a user gives.

    source: a `Clip`, or the path of one (`videoquant.frames`), of which `calibration_runs` are taken, evenly
        over its length (the first ones of a camera); or any iterable of frames or network inputs, all of
        which are taken. Raises `DataError` for anything else.
    """
    length, wanted = run_length(network, scheme), calibration_runs(scheme)
    if isinstance(source, np.ndarray | Tensor) and source.ndim < 4:
        raise DataError("calibration is one frame; give a clip, or a list of frames")
    if isinstance(source, str | Path):
        source = frames(source)
    if not isinstance(source, Iterable):
        raise DataError(f"calibration takes a clip or frames; got a {type(source).__name__}")
    if isinstance(source, JoinedClip):
        source = source.runs(spans_of_clips([[part] for part in source.parts], length, wanted))
    elif isinstance(source, Clip):
        source = source.runs(calibration_spans(whole(source, wanted * length), length, wanted))
    return cut(network, source, length)


class Run(list[Tensor]):
    """Inputs of consecutive frames. source: of several clips, the number of the one that they are from."""

    def __init__(self, source: int = 0, frames: Iterable[Tensor] = ()) -> None:
        super().__init__(frames)
        self.source = source


def source_of(clip: Sequence[Tensor]) -> int:
    """Which of several clips calibration frames are from; 0 where nobody says."""
    return clip.source if isinstance(clip, Run) else 0


def cut(network: Network, frames: Iterable[Any], length: int) -> list[Run]:
    """Consecutive frames as clips of at most `length`; a seek begins a new clip."""
    clips: list[Run] = []
    clock = Clock(length)
    for frame in frames:
        index = frame.index if isinstance(frame, Frame) else None
        clock = clock.tick(index, ())  # whatever their sizes, all become the network's input
        if clock.is_key:
            clips.append(Run(frame.source if isinstance(frame, Frame) else 0))
        clips[-1].append(network.prepare(frame))
    return clips
