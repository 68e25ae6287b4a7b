"""YOLO's boxes that the file has decoded already, and those of YOLOX, whose cells are still to be placed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from videoquant.errors import NetworkError
from videoquant.tasks.base import Graph
from videoquant.tasks.detection.boxes import Boxes
from videoquant.tasks.detection.detector import (
    STRIDES,
    Array,
    Detection,
    Shape,
    around,
    best_classes,
    cells,
    comes_from,
    described,
    shapes_of,
    strides_for,
)

_ARITHMETIC = ("add", "sub", "mul", "div", "exp", "affine", "pow")


@dataclass(frozen=True)
class ScoredBoxes(Detection):
    """YOLOv8, v9, 11 and 12: centre, size and a probability of every class, (4 + C)×P or P×(4 + C).

    rows_first: whether it is (4 + C)×P. Further rows, of masks or keypoints, are not read.
    """

    families: ClassVar = ("yolov8", "yolov9", "yolo11", "yolo12")

    rows_first: bool

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        """By an output whose longer side counts the cells of all strides."""
        said = network.preprocessing.boxes
        shapes = shapes_of(network)
        for output, shape in shapes.items():
            if len(shape) != 2 or min(shape) < 5:
                continue
            rows_first = strides_for(network.size, shape[1]) is not None
            count = min(shape) - 4
            if not rows_first:
                # P×(5 + C) is YOLOX's and YOLOv6's: only the names, or the user, tell them apart.
                told = said.family is not None or len(said.names) == count
                if not told or strides_for(network.size, shape[0]) is None:
                    continue
            classes = _without_extra(network, count, shapes)
            return {"outputs": (output,), "classes": classes, "rows_first": rows_first}
        return None

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        values = outputs[0] if self.rows_first else outputs[0].T
        rows, classes, scores = best_classes(values[4 : 4 + self.classes].T, self.score)
        chosen = values[:4, rows].T
        return Boxes(around(chosen[:, :2], chosen[:, 2:]), scores, classes)


def _without_extra(network: Graph, count: int, shapes: dict[str, Shape]) -> int:
    """How many of `count` rows behind the box are classes: not those of masks and keypoints."""
    names = len(network.preprocessing.boxes.names)
    masks = [shape[0] for shape in shapes.values() if len(shape) == 3]
    if names and 0 < names <= count:
        extra = count - names
        if extra == 0 or extra in masks or extra % 3 == 0:  # a keypoint is x, y and how visible it is
            return names
    if names:
        raise NetworkError(
            f"names of {names} classes, but the outputs ({described(network)}) have {count}; "
            "give as many with --names, or another family with --boxes"
        )
    return next((count - extra for extra in masks if extra < count), count)


@dataclass(frozen=True)
class ObjectBoxes(Detection):
    """YOLOv3, v5, v6, v7 and YOLOX: centre, size, whether there is a thing, and a probability of every class.

    P×(5 + C), with one or three boxes per cell; a box's score is the product of the last two.
    placed: whether the file has added the cells. YOLOX as its authors export it has not: with stride s and
        cell c the centre is (x + c)·s and the size eʷ·s.
    strides: of the cells.
    """

    families: ClassVar = ("yolov5", "yolov3", "yolov4", "yolov6", "yolov7", "yolox")

    placed: bool
    strides: tuple[int, ...]

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        """By an output whose first side counts the cells, or three times as many."""
        # A coarser map makes it NanoDet's, unless the family is told.
        known = STRIDES[:1] if network.preprocessing.boxes.family is None else STRIDES
        for output, shape in shapes_of(network).items():
            if len(shape) != 2 or shape[1] < 6:
                continue
            one = strides_for(network.size, shape[0], known)
            three = strides_for(network.size, shape[0] // 3) if shape[0] % 3 == 0 else None
            if one or three:
                placed = not one or comes_from(network, output, *_ARITHMETIC)
                fields = {"placed": placed, "strides": one or three}
                return {"outputs": (output,), "classes": shape[1] - 5} | fields
        return None

    @property
    def family(self) -> str:
        said = self.preprocessing.boxes.family
        return said or (self.families[0] if self.placed else "yolox")

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        values = outputs[0]
        rows, classes, scores = best_classes(values[:, 5:] * values[:, 4:5], self.score)
        centres, sizes = values[rows, :2], values[rows, 2:4]
        if not self.placed:
            places = [cells(self.size, stride) for stride in self.strides]
            strides = np.repeat(np.array(self.strides, np.float32), [len(place) for place in places])
            step = strides[rows, None]
            centres, sizes = (centres + np.concatenate(places)[rows]) * step, np.exp(sizes) * step
        return Boxes(around(centres, sizes), scores, classes)


@dataclass(frozen=True)
class FinalBoxes(Detection):
    """YOLOv10 and 26, and every file that suppresses by itself: N×6 of corners, score and class."""

    families: ClassVar = ("yolov10", "yolo26", "yolov5", "yolov8", "yolov9", "yolo11", "yolo12")
    default_overlap: ClassVar = 1.0

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        for output, shape in shapes_of(network).items():
            if len(shape) == 2 and shape[1] == 6 and strides_for(network.size, shape[0]) is None:
                return {"outputs": (output,), "classes": 0}
        return None

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        values = outputs[0][outputs[0][:, 4] >= self.score]
        classes = np.nan_to_num(values[:, 5]).round().clip(0, 2**31)
        return Boxes(values[:, :4], values[:, 4], classes.astype(np.int64))
