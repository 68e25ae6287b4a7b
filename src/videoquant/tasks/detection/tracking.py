"""Boxes that follow a thing from frame to frame: ByteTrack.

Zhang et al.: ByteTrack, ECCV 2022. Sure boxes are joined to the tracks first, those that nobody is sure of to
the tracks that are left: a person behind a tree is found weakly, and stays who he is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from videoquant.tasks.detection.assignment import assign
from videoquant.tasks.detection.boxes import Boxes, overlaps
from videoquant.tasks.detection.motion import Motion

WEAK = 0.1  # the least score of a box that may go on with a track
_FIRST, _SECOND, _NEW = 0.8, 0.5, 0.7  # the most of 1 − overlap at which boxes and tracks are one thing
_MARGIN = 0.1  # above the threshold of sure boxes begins what starts a track


@dataclass(frozen=True, eq=False)
class _Tracks:
    """Those that are followed: motion, class, number, frames since they were seen, and whether confirmed.

    A track is confirmed when it is seen a second time in a row, or begins in the first frame.
    """

    motion: Motion
    classes: NDArray[np.int64]
    numbers: NDArray[np.int64]
    missed: NDArray[np.int64]
    confirmed: NDArray[np.bool_]


class Tracker:
    """The tracks of one video; open one for each.

    sure: the score from which a box is sure.
    memory: for how many frames a thing that is not seen is remembered.
    """

    def __init__(self, sure: float, memory: int = 30) -> None:
        self.sure, self.memory = sure, memory
        self._next, self._first = 1, True
        none = np.zeros(0, np.int64)
        self._tracks = _Tracks(
            Motion.begin(np.zeros((0, 4), np.float32)), none, none, none, none.astype(bool)
        )

    def update(self, boxes: Boxes) -> Boxes:
        """The boxes of the next frame that belong to a track, with its number, strongest first.

        boxes: all of at least `WEAK`; their corners are given back as they are.
        """
        tracks = replace(self._tracks, motion=self._tracks.motion.step())
        sure = np.flatnonzero(boxes.scores >= self.sure)
        weak = np.flatnonzero((boxes.scores >= WEAK) & (boxes.scores < self.sure))
        known, new = np.flatnonzero(tracks.confirmed), np.flatnonzero(~tracks.confirmed)
        pairs = _joined(tracks, known, boxes, sure, _FIRST, by_score=True)
        left = [t for t in known if t not in dict(pairs) and tracks.missed[t] == 0]
        pairs += _joined(tracks, np.array(left, int), boxes, weak, _SECOND, by_score=False)
        taken = {box for _, box in pairs}
        free = np.array([box for box in sure if box not in taken], int)
        pairs += _joined(tracks, new, boxes, free, _NEW, by_score=True)
        return self._go_on(tracks, boxes, pairs)

    def _go_on(self, tracks: _Tracks, boxes: Boxes, pairs: list[tuple[int, int]]) -> Boxes:
        of, box = np.array(pairs, np.int64).reshape(-1, 2).T
        motion = tracks.motion[of].seen(boxes.corners[box])
        seen = np.zeros(len(tracks.numbers), bool)
        seen[of] = True
        # One that was seen once, and not again, was none.
        kept = np.flatnonzero(~seen & tracks.confirmed & (tracks.missed < self.memory))
        fresh = np.setdiff1d(np.flatnonzero(boxes.scores >= min(1, self.sure + _MARGIN)), box)
        numbers = np.arange(self._next, self._next + len(fresh))
        self._next += len(fresh)
        self._tracks = _Tracks(
            Motion.joined(Motion.joined(motion, Motion.begin(boxes.corners[fresh])), tracks.motion[kept]),
            np.concatenate([tracks.classes[of], boxes.classes[fresh], tracks.classes[kept]]),
            np.concatenate([tracks.numbers[of], numbers, tracks.numbers[kept]]),
            np.concatenate([np.zeros(len(of) + len(fresh), np.int64), tracks.missed[kept] + 1]),
            np.concatenate(
                [np.ones(len(of), bool), np.full(len(fresh), self._first), np.ones(len(kept), bool)]
            ),
        )
        shown, of_shown = box, tracks.numbers[of]
        if self._first:
            shown, of_shown = np.concatenate([box, fresh]), np.concatenate([of_shown, numbers])
        self._first = False
        order = np.argsort(shown, kind="stable")  # as the boxes came
        return replace(boxes[shown[order]], tracks=of_shown[order])


def _joined(
    tracks: _Tracks,
    chosen: NDArray[np.int64],
    boxes: Boxes,
    candidates: NDArray[np.int64],
    limit: float,
    by_score: bool,
) -> list[tuple[int, int]]:
    """Pairs (track, box) of those chosen, of one class, by how far they overlap.

    by_score: the overlap counts by the box's score.
    """
    if not len(chosen) or not len(candidates):
        return []
    shares = overlaps(tracks.motion[chosen].corners, boxes.corners[candidates])
    if by_score:
        shares = shares * boxes.scores[candidates].astype(np.float64)
    shares[tracks.classes[chosen][:, None] != boxes.classes[candidates][None]] = -1
    return [(int(chosen[row]), int(candidates[column])) for row, column in assign(1 - shares, limit)]
