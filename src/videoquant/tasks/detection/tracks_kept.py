"""How many of a reference's boxes are found, and how many of the things that it follows stay in sight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from videoquant.tasks.detection.boxes import Boxes
from videoquant.tasks.detection.matching import match


@dataclass(frozen=True)
class Kept:
    """Counts over a video.

    boxes: of the reference. found: of them, those that a box of the output matches (`matching.match`).
    tracks: of the reference. kept: of them, those of which half the boxes or more are found.
    """

    boxes: int
    found: int
    tracks: int
    kept: int


class TracksKept:
    """The counts of one video, whose frames come one after another.

    A track is a chain of the reference's boxes in consecutive frames, each of which matches the one before
    (one class, intersection over union of 0.5 or more); a box in one frame alone is none. No number of a
    tracker has a part in it, so that what a tracker guesses is neither held against an output nor for it.
    Memory is that of the tracks that go on.
    """

    def __init__(self) -> None:
        self._last = Boxes.of([], [], [])
        self._open = np.zeros((0, 2), np.int64)  # by box of the last frame: its track's boxes, those found
        self._boxes = self._found = self._tracks = self._kept = 0

    def update(self, reference: Boxes, output: Boxes) -> None:
        """The next frame's boxes."""
        counts = np.zeros((len(reference), 2), np.int64)
        before, now = match(self._last, reference).T
        counts[now] = self._open[before]
        counts[:, 0] += 1
        found = match(reference, output)[:, 0]
        counts[found, 1] += 1
        tracks, kept = _ended(np.delete(self._open, before, axis=0))
        self._tracks, self._kept = self._tracks + tracks, self._kept + kept
        self._boxes, self._found = self._boxes + len(reference), self._found + len(found)
        self._last, self._open = reference, counts

    def result(self) -> Kept:
        """So far; what goes on in the last frame counts as it is."""
        tracks, kept = _ended(self._open)
        return Kept(self._boxes, self._found, self._tracks + tracks, self._kept + kept)


def _ended(tracks: NDArray[np.int64]) -> tuple[int, int]:
    """How many are tracks, and how many of them are kept."""
    long = tracks[:, 0] > 1
    return int(long.sum()), int((long & (2 * tracks[:, 1] >= tracks[:, 0])).sum())
