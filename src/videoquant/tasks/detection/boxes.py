"""Boxes as arrays, how far two of them overlap, and which of several around one thing stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.errors import MissingExtraError


@dataclass(frozen=True, eq=False)
class Boxes:
    """What was found in a frame.

    corners: float32 N×4, (left, top, right, bottom) in pixels; 0 is the outer edge of the first pixel.
    scores: float32 N, 0 … 1.
    classes: int64 N, from 0.
    tracks: int64 N, the number of the thing that each box follows; None where nothing was tracked.
    extra: float32 N×E, what the network says of each box beyond that, such as a mask's coefficients or
        keypoints; None where it says nothing more.
    """

    corners: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    tracks: NDArray[np.int64] | None = None
    extra: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, chosen: Any) -> Boxes:
        """Those that an index array, a mask or a slice of NumPy takes."""
        tracks = None if self.tracks is None else self.tracks[chosen]
        extra = None if self.extra is None else self.extra[chosen]
        return Boxes(self.corners[chosen], self.scores[chosen], self.classes[chosen], tracks, extra)

    @classmethod
    def of(cls, corners: Any, scores: Any, classes: Any) -> Boxes:
        """From anything that NumPy makes arrays of."""
        return cls(
            np.asarray(corners, np.float32).reshape(-1, 4),
            np.asarray(scores, np.float32).reshape(-1),
            np.asarray(classes, np.int64).reshape(-1),
        )

    @classmethod
    def joined(cls, parts: Sequence[Boxes]) -> Boxes:
        """The boxes of all parts, which have no tracks and nothing beyond scores and classes."""
        if not parts:
            return cls.of([], [], [])
        return cls(
            np.concatenate([part.corners for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.classes for part in parts]),
        )

    def to_supervision(self) -> Any:
        """The same as `supervision.Detections`, for its annotators and zones.

        Raises `MissingExtraError` without `pip install supervision`, which nothing else here needs.
        """
        try:
            from supervision import Detections
        except ModuleNotFoundError:
            raise MissingExtraError(
                "supervision.Detections need supervision, which is not installed: pip install supervision"
            ) from None
        return Detections(
            xyxy=self.corners, confidence=self.scores, class_id=self.classes, tracker_id=self.tracks
        )


def overlaps(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Intersection over union of every box of a (N×4) with every box of b (M×4): N×M, 0 of empty ones."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = (high - low).clip(0).prod(-1)
    sizes = [(corners[:, 2:] - corners[:, :2]).clip(0).prod(-1) for corners in (a, b)]
    either = sizes[0][:, None] + sizes[1][None] - both
    shares: NDArray[np.float64] = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return shares


def suppress(boxes: Boxes, overlap: float, most: int = 300, considered: int = 3000) -> Boxes:
    """Non-maximum suppression, class by class: the strongest boxes, strongest first.

    Of two boxes of a class whose intersection over union is above `overlap` the weaker goes, unless a still
    stronger one has removed the other (Neubeck, Van Gool, ICPR 2006). Of equal scores the first is the
    stronger.
    most: how many stay at most. considered: how many of the strongest are looked at.
    """
    boxes = boxes[np.argsort(-boxes.scores, kind="stable")[:considered]]
    if overlap >= 1 or len(boxes) < 2:
        return boxes[:most]
    kept = np.ones(len(boxes), bool)
    for label in np.unique(boxes.classes):
        members = np.flatnonzero(boxes.classes == label)
        alive = np.ones(len(members), bool)
        corners = boxes.corners[members]
        for index in range(len(members)):
            if alive[index]:
                later = overlaps(corners[index : index + 1], corners[index + 1 :])[0] > overlap
                alive[index + 1 :] &= ~later
        kept[members] = alive
    return boxes[kept][:most]
