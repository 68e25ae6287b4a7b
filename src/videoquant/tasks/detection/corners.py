"""Boxes and scores in outputs of their own: YOLO-NAS, YOLOv4 as exported, SSD, and lists of what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from videoquant.errors import NetworkError
from videoquant.network.box_layout import OFFERED_BOXES, OFFERED_SCORES
from videoquant.tasks.base import Graph, is_probability, sigmoid
from videoquant.tasks.detection.boxes import Boxes
from videoquant.tasks.detection.detector import (
    Array,
    Detection,
    Shape,
    around,
    best_classes,
    cell_count,
    comes_from,
    shapes_of,
)

_CELLS = (8, 16, 32)


@dataclass(frozen=True)
class CornerBoxes(Detection):
    """P×4 and P×C: YOLO-NAS in pixels, YOLOv4 in shares of the input, SSD in shares or against anchors.

    of_size: whether corners are in shares of the input.
    background: whether class 0 means nothing; it is no class then.
    activation: what turns scores into probabilities, "sigmoid", "softmax" or "".
    anchors: of SSD without its own decoding, (centre x, y, width, height) in shares of the input, as many as
        there are boxes; a box is then (centre + 0.1·xy·size, size·e^(0.2·wh)) (Liu et al., ECCV 2016).
    """

    families: ClassVar = ("yolo-nas", "yolov4", "ssd")

    of_size: bool
    background: bool
    activation: str
    anchors: tuple[float, ...]

    @property
    def family(self) -> str:
        if self.preprocessing.boxes.family:
            return self.preprocessing.boxes.family
        return "ssd" if self.background else "yolov4" if self.of_size else "yolo-nas"

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        said, shapes = network.preprocessing.boxes, shapes_of(network)
        boxes, count = next(((n, s[0]) for n, s in shapes.items() if _four(s)), ("", 0))
        scores = next((n for n, s in shapes.items() if n != boxes and len(s) == 2 and s[0] == count), "")
        if not boxes or not scores:
            return None
        cells = cell_count(network.size, _CELLS)
        if said.family == "ssd" or (said.family is None and count not in (cells, 3 * cells)):
            softmax = comes_from(network, scores, "softmax")
            activation = "" if softmax or is_probability(network, scores) else "softmax"
            background = softmax or activation == "softmax"
        else:
            activation, background = ("" if is_probability(network, scores) else "sigmoid"), False
        if said.anchors and len(said.anchors) != 4 * count:
            raise NetworkError(
                f"anchors: {len(said.anchors)} numbers were given; {count} boxes have {4 * count}, of each "
                "the centre x and y, the width and the height"
            )
        if any(side <= 0 for side in (*said.anchors[2::4], *said.anchors[3::4])):
            raise NetworkError("anchors: widths and heights, the third and fourth of each four, are above 0")
        return {
            "outputs": (scores, boxes),
            "classes": shapes[scores][1] - background,
            "of_size": said.family in ("ssd", "yolov4") or (said.family is None and count != cells),
            "background": background,
            "activation": activation,
            "anchors": said.anchors,
        }

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        scores, values = outputs[0], outputs[1].reshape(-1, 4)
        if self.activation == "sigmoid":
            scores = sigmoid(scores)
        elif self.activation == "softmax":
            powers = np.exp(scores.astype(np.float64) - scores.max(1, keepdims=True))
            scores = (powers / powers.sum(1, keepdims=True)).astype(np.float32)
        rows, classes, found = best_classes(scores[:, int(self.background) :], self.score)
        corners = values[rows]
        if self.anchors:
            anchors = np.array(self.anchors, np.float32).reshape(-1, 4)[rows]
            centres = anchors[:, :2] + np.float32(0.1) * corners[:, :2] * anchors[:, 2:]
            corners = around(centres, anchors[:, 2:] * np.exp(np.float32(0.2) * corners[:, 2:]))
        if self.of_size:
            corners = corners * np.array(self.size[::-1] * 2, np.float32)
        return Boxes(corners, found, classes)


def _four(shape: Shape) -> bool:
    """Whether a shape is P×4 or P×1×4."""
    return shape[-1:] == (4,) and (len(shape) == 2 or (len(shape) == 3 and shape[1] == 1))


@dataclass(frozen=True)
class ListedBoxes(Detection):
    """Files that suppress by themselves and list corners N×4, scores N and classes N, as their names say.

    of_size: whether corners are (top, left, bottom, right) in shares of the input, as TensorFlow's are, whose
        classes count from 1; else (left, top, right, bottom) in pixels.
    """

    families: ClassVar = ("ssd", "yolov5", "yolov7", "yolov8")
    default_overlap: ClassVar = 1.0

    of_size: bool

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        shapes = shapes_of(network)

        def named(*words: str) -> str | None:
            return next((name for name in shapes if any(word in name.lower() for word in words)), None)

        boxes, scores, classes = named("box"), named("score"), named("class", "label")
        if boxes is None or scores is None or classes is None or shapes[boxes][1:] != (4,):
            return None
        count = shapes[boxes][0]
        if shapes[scores] != (count,) or shapes[classes] != (count,):
            return None
        of_size = boxes.lower().startswith("detection_boxes")
        return {"outputs": (boxes, scores, classes), "classes": 0, "of_size": of_size}

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        corners, scores, classes = outputs[0].reshape(-1, 4), outputs[1].reshape(-1), outputs[2].reshape(-1)
        if self.of_size:
            corners = corners[:, [1, 0, 3, 2]] * np.array(self.size[::-1] * 2, np.float32)
        numbers = np.nan_to_num(classes).round().clip(0, 2**31).astype(np.int64) - self.of_size
        chosen = (scores >= self.score) & (numbers >= 0)
        return Boxes(corners[chosen], scores[chosen], numbers[chosen])


@dataclass(frozen=True)
class OfferedBoxes(Detection):
    """All boxes P×4 and the scores of their classes P×C, of a file that suppressed by itself.

    top_first: whether corners are (top, left, bottom, right) in shares of the input, as the standard and
        TensorFlow have it; else (left, top, right, bottom) in pixels, as of YOLO, whose cells tell it.
    """

    families: ClassVar = ("ssd", "yolov5", "yolov6", "yolov7", "yolov8", "yolov9", "yolox", "yolo11")

    top_first: bool

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        shapes, said = shapes_of(network), network.preprocessing.boxes
        if OFFERED_BOXES not in shapes:
            return None
        count, classes = shapes[OFFERED_SCORES]
        cells = cell_count(network.size, _CELLS)
        top_first = said.family == "ssd" or (said.family is None and count not in (cells, 3 * cells))
        return {"outputs": (OFFERED_BOXES, OFFERED_SCORES), "classes": classes, "top_first": top_first}

    @property
    def family(self) -> str:
        return self.preprocessing.boxes.family or ("ssd" if self.top_first else "yolov5")

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        corners, scores = outputs
        if self.top_first:
            corners = corners[:, [1, 0, 3, 2]] * np.array(self.size[::-1] * 2, np.float32)
        corners = np.concatenate([np.minimum(corners[:, :2], corners[:, 2:]),
                                  np.maximum(corners[:, :2], corners[:, 2:])], 1)  # fmt: skip
        boxes, classes = np.nonzero(scores >= self.score)  # a box may be of several classes
        return Boxes(corners[boxes], scores[boxes, classes], classes.astype(np.int64))
