"""COCO's mean average precision: how many of the things are found, and how many finds are none.

AP of a class at an overlap t: finds of all pictures, strongest first, each right where it overlaps a thing
of its class that none before it took by t or more; precision made falling from the right; its mean at the
recalls 0, 0.01, … 1. mAP is the mean over t = 0.5, 0.55, … 0.95 and the classes that the labels hold (Lin et
al., ECCV 2014; cocodataset.org, "area = all", 100 finds a picture and class).

Precision needs all finds in order, so memory grows with the stream: about 30 bytes for every find.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from videoquant.data.targets import Objects
from videoquant.errors import DataError
from videoquant.tasks.base import Measure
from videoquant.tasks.detection.boxes import Boxes, overlaps

MAP = Measure("map", "mAP")
MAP50 = Measure("map50", "mAP50")
THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
_MOST = 100  # finds of a class in a picture


class AveragePrecision:
    """`map`, `map50`: see the file's first lines.

    classes: how many the labels have.
    """

    measures = (MAP, MAP50)

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.samples = 0
        self._things = np.zeros(classes, np.int64)
        # By class and picture: scores, and by threshold whether a find is right, and whether it counts.
        self._finds: list[list[tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]]] = [
            [] for _ in range(classes)
        ]

    def update(self, found: Boxes, target: Objects) -> dict[str, float]:
        """Count one picture; both in its pixels. A picture alone has no precision, so nothing is returned."""
        self.samples += 1
        for label in np.union1d(found.classes, target.classes).tolist():
            if not 0 <= label < self.classes:
                raise DataError(f"class {label} is none of the {self.classes} of the labels")
            boxes = found[found.classes == label]
            boxes = boxes[np.argsort(-boxes.scores, kind="stable")[:_MOST]]
            theirs = target.classes == label
            ignored = target.ignored[theirs]
            self._things[label] += int((~ignored).sum())
            if len(boxes):
                right, counts = _taken(boxes, target.corners[theirs], ignored)
                self._finds[label].append((boxes.scores, right, counts))
        return {}

    def result(self) -> dict[str, float]:
        """Raises `DataError` before the first picture; {} where the labels hold nothing."""
        if not self.samples:
            raise DataError("no sample has been scored, so there is no result; call update first")
        each = [precisions for precisions in map(self._precisions, range(self.classes)) if precisions.size]
        if not each:
            return {}
        table = np.stack(each)
        return {MAP.name: float(table.mean()), MAP50.name: float(table[:, 0].mean())}

    def per_class(self) -> list[float | None]:
        """The AP of every class, the mean over overlaps; None for one that the labels do not hold."""
        each = map(self._precisions, range(self.classes))
        return [float(precisions.mean()) if precisions.size else None for precisions in each]

    def _precisions(self, label: int) -> NDArray[np.float64]:
        """The AP of a class by overlap; empty where the labels do not hold it."""
        things, finds = int(self._things[label]), self._finds[label]
        if not things:
            return np.zeros(0)
        if not finds:
            return np.zeros(len(THRESHOLDS))
        scores = np.concatenate([scores for scores, _, _ in finds])
        order = np.argsort(-scores, kind="stable")
        right = np.concatenate([right for _, right, _ in finds], 1)[:, order]
        counts = np.concatenate([counts for _, _, counts in finds], 1)[:, order]
        hits, misses = np.cumsum(right & counts, 1), np.cumsum(~right & counts, 1)
        return np.array(
            [_area(h / things, h / np.maximum(h + m, 1)) for h, m in zip(hits, misses, strict=True)]
        )


def _area(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """The mean precision at `RECALLS`, each the best at that recall or a higher one; 0 beyond the last."""
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(falling, 0.0)[places.clip(0, len(falling))].mean())


def _taken(
    boxes: Boxes, things: NDArray[np.float32], ignored: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """By threshold and find, strongest first: whether it is right, and whether it counts at all.

    A find takes the free thing that it overlaps most; where there is none, it may lie in one that is ignored,
    of which any number may, and counts neither way. In those, overlap is the share of the find.
    """
    order = np.argsort(ignored, kind="stable")  # those that count come first
    things, ignored = things[order], ignored[order]
    overlap = overlaps(boxes.corners, things)
    overlap[:, ignored] = _shares(boxes.corners, things[ignored])
    real = int((~ignored).sum())
    right = np.zeros((len(THRESHOLDS), len(boxes)), bool)
    counts = np.ones_like(right)
    for row, threshold in enumerate(THRESHOLDS):
        free = np.ones(real, bool)
        for find in range(len(boxes)):
            shares = np.where(free, overlap[find, :real], -1)
            # Of equal overlaps the last is taken, as pycocotools does.
            best = real - 1 - int(shares[::-1].argmax()) if real else -1
            if best >= 0 and shares[best] >= threshold:
                free[best] = False
                right[row, find] = True
            elif (overlap[find, real:] >= threshold).any():
                counts[row, find] = False
    return right, counts


def _shares(boxes: NDArray[np.float32], things: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much of every box lies in every thing: N×M."""
    a, b = boxes.astype(np.float64), things.astype(np.float64)
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = (high - low).clip(0).prod(-1)
    whole = (a[:, 2:] - a[:, :2]).clip(0).prod(-1)[:, None]
    shares: NDArray[np.float64] = np.divide(both, whole, out=np.zeros_like(both), where=whole > 0)
    return shares
