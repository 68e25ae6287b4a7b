"""YOLO's raw maps: each cell of each stride moves and scales a few anchors.

With cell c, stride s and anchor a, and σ the sigmoid (Redmon, Farhadi: YOLOv3, 2018; Ultralytics' YOLOv5):

    YOLOv3, v4    centre (k·σ(x) − (k − 1)/2 + c)·s    size a·eʷ        k = 1; in v4 1.2, 1.1, 1.05 by stride
    YOLOv5, v7    centre (2·σ(x) − 0.5 + c)·s          size a·(2·σ(w))²
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from videoquant.errors import NetworkError
from videoquant.tasks.base import Graph, is_probability, sigmoid
from videoquant.tasks.detection.boxes import Boxes
from videoquant.tasks.detection.detector import (
    STRIDES,
    Array,
    Detection,
    Shape,
    around,
    best_classes,
    cells,
    grid,
    shapes_of,
)

# (width, height) in pixels, three to a stride, as trained on COCO: of three strides, of tiny networks' two.
_DARKNET = (10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326)
_V4 = (12, 16, 19, 36, 40, 28, 36, 75, 76, 55, 72, 146, 142, 110, 192, 243, 459, 401)
_TINY = (10, 14, 23, 27, 37, 58, 81, 82, 135, 169, 344, 319)
_ANCHORS: Mapping[str, Sequence[int]] = {"yolov3": _DARKNET, "yolov4": _V4, "yolov5": _DARKNET, "yolov7": _V4}
_SPREAD = {8: 1.2, 16: 1.1, 32: 1.05}  # of YOLOv4's centres
_PER_CELL = 3


@dataclass(frozen=True)
class AnchorBoxes(Detection):
    """YOLOv3, v4, v5 and v7 as their convolutions give them: a map per stride of 3·(5 + C) numbers a cell.

    3·(5 + C)×h×w, 3×h×w×(5 + C), h×w×3×(5 + C) or h×w×3·(5 + C).
    formula: the family whose formula it is.
    strides: of the maps, in the order of the outputs.
    anchors: (width, height) in pixels, three to a stride.
    activated: whether the outputs went through the sigmoid already.
    """

    families: ClassVar = ("yolov3", "yolov4", "yolov5", "yolov7")

    formula: str
    strides: tuple[int, ...]
    anchors: tuple[float, ...]
    activated: bool

    @property
    def family(self) -> str:
        return self.formula

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        """By a map for each of two strides or more, all with as many numbers a cell."""
        said, shapes = network.preprocessing.boxes, shapes_of(network)
        for strides in sorted(STRIDES, key=len, reverse=True):
            found = [
                next(((n, c) for n, s in shapes.items() if (c := _numbers(s, grid(network.size, k)))), None)
                for k in strides
            ]
            names = tuple(each[0] for each in found if each)
            numbers = {each[1] for each in found if each}
            if len(names) == len(strides) and len(numbers) == 1:
                _check_anchors(said.anchors, strides)
                formula = said.family or _formula(network)
                return {
                    "outputs": names,
                    "classes": numbers.pop() - 5,
                    "formula": formula,
                    "strides": strides,
                    "anchors": said.anchors or _anchors(formula, strides),
                    "activated": is_probability(network, names[0]),
                }
        return None

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        found = []
        anchors = np.array(self.anchors, np.float32).reshape(len(self.strides), _PER_CELL, 2)
        for stride, values, sizes in zip(self.strides, outputs, anchors, strict=True):
            rows = _cells_first(values, grid(self.size, stride), self.classes + 5)  # h·w×3×(5 + C)
            activated = rows if self.activated else sigmoid(rows)
            scores = (activated[..., 5:] * activated[..., 4:5]).reshape(-1, self.classes)
            chosen, classes, values_ = best_classes(scores, self.score)
            cell, anchor = chosen // _PER_CELL, chosen % _PER_CELL
            place, raw = cells(self.size, stride)[cell], rows[cell, anchor]
            moved = activated[cell, anchor, :2]
            if self.formula in ("yolov5", "yolov7"):
                centre = (2 * moved - np.float32(0.5) + place) * stride
                size = sizes[anchor] * np.square(2 * activated[cell, anchor, 2:4])
            else:
                spread = np.float32(_SPREAD.get(stride, 1.05) if self.formula == "yolov4" else 1)
                centre = (spread * moved - (spread - 1) / 2 + place) * stride
                size = sizes[anchor] * np.exp(raw[:, 2:4])
            found.append(Boxes(around(centre, size), values_, classes))
        return Boxes.joined(found)


def _numbers(shape: Shape, size: tuple[int, int]) -> int:
    """How many numbers a box has, 5 + C, of a map of these cells; 0 where the shape is no such map."""
    numbers = 0
    if len(shape) == 4:
        forms = (shape[:3] == (_PER_CELL, *size), shape[:3] == (*size, _PER_CELL))
        numbers = shape[3] if any(forms) else 0
    elif len(shape) == 3:
        channels = shape[0] if shape[1:] == size else shape[2] if shape[:2] == size else 0
        numbers = channels // _PER_CELL if channels % _PER_CELL == 0 else 0
    return numbers if numbers > 5 else 0


def _cells_first(values: Array, size: tuple[int, int], numbers: int) -> Array:
    """A map in any of its forms as h·w×3×(5 + C)."""
    if values.ndim == 3 and values.shape[1:] == size:
        values = values.reshape(_PER_CELL, numbers, *size).transpose(2, 3, 0, 1)
    elif values.ndim == 4 and values.shape[:3] == (_PER_CELL, *size):
        values = values.transpose(1, 2, 0, 3)
    return values.reshape(size[0] * size[1], _PER_CELL, numbers)


def _formula(network: Graph) -> str:
    """By the activation that each release has: leaky ReLU, Mish, SiLU."""
    operators = {node.op for node in network.nodes}
    return "yolov4" if "mish" in operators else "yolov3" if "leaky_relu" in operators else "yolov5"


def _anchors(formula: str, strides: Sequence[int]) -> tuple[float, ...]:
    numbers = _TINY if len(strides) == 2 else _ANCHORS[formula]
    if len(numbers) != 2 * _PER_CELL * len(strides):
        raise NetworkError(
            f"no anchors of {formula} are known for {len(strides)} strides; give them with --anchors"
        )
    return tuple(map(float, numbers))


def _check_anchors(anchors: Sequence[float], strides: Sequence[int]) -> None:
    """Raise `NetworkError` for anchors that were given and do not fit."""
    wanted = 2 * _PER_CELL * len(strides)
    if anchors and len(anchors) != wanted:
        raise NetworkError(
            f"anchors: {len(anchors)} numbers were given; {_PER_CELL} anchors at each of {len(strides)} "
            f"strides are {wanted}"
        )
    if any(number <= 0 for number in anchors):
        raise NetworkError(f"anchors: {min(anchors):g} is no side of an anchor; sides are above 0")
