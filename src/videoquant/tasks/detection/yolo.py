"""YOLO's boxes that the file has decoded already, and those of YOLOX, whose cells are still to be placed.

Of YOLOv8 and later also masks and keypoints, which stand behind the classes (`instances.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from videoquant.errors import NetworkError
from videoquant.tasks.base import Graph, Measure, sigmoid
from videoquant.tasks.detection.boxes import Boxes
from videoquant.tasks.detection.detector import (
    BOX_F1,
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
from videoquant.tasks.detection.instances import VISIBLE, mask_values, masks_within, within
from videoquant.tasks.drawing import LEFT, MIDDLE, RIGHT, Canvas, Window, tint_mask
from videoquant.tasks.pose import COCO_BONES, COCO_POINTS, KEYPOINT_F1
from videoquant.tasks.segmentation import MASK_IOU

_ARITHMETIC = ("add", "sub", "mul", "div", "exp", "affine", "pow")


@dataclass(frozen=True)
class ScoredBoxes(Detection):
    """YOLOv8, v9, 11 and 12: centre, size and a probability of every class, (4 + C)×P or P×(4 + C).

    rows_first: whether it is (4 + C)×P.
    masks: the output with prototypes of masks, M×h×w; then M coefficients stand behind the classes. "": none.
    keypoints: how many there are of each box, as x, y and how visible it is behind the classes.
    """

    families: ClassVar = ("yolov8", "yolov9", "yolo11", "yolo12")

    rows_first: bool
    masks: str = ""
    keypoints: int = 0

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
            classes = _without_extra(network, output, count, shapes)
            extra = count - classes
            masks = next((name for name, shape in shapes.items() if extra and _are_masks(shape, extra)), "")
            found = {"outputs": (output, masks) if masks else (output,), "masks": masks}
            keypoints = 0 if masks else extra // 3
            return found | {"classes": classes, "rows_first": rows_first, "keypoints": keypoints}
        return None

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        values = outputs[0] if self.rows_first else outputs[0].T
        rows, classes, scores = best_classes(values[4 : 4 + self.classes].T, self.score)
        chosen, extra = values[:4, rows].T, values[4 + self.classes :, rows].T
        boxes = Boxes(around(chosen[:, :2], chosen[:, 2:]), scores, classes)
        return replace(boxes, extra=extra) if self.masks or self.keypoints else boxes

    @property
    def measures(self) -> tuple[Measure, ...]:
        more = ((self.masks, MASK_IOU), (self.keypoints, KEYPOINT_F1))
        return (BOX_F1, *(measure for given, measure in more if given))

    def masks_of(self, boxes: Boxes, outputs: Mapping[str, Any]) -> NDArray[np.bool_]:
        """What of the input belongs to the thing in each box of `found`: bool N×h×w, as prototypes lie."""
        prototypes = self.arrays(outputs)[1]
        assert boxes.extra is not None
        height, width = (side / whole for side, whole in zip(prototypes.shape[1:], self.size, strict=True))
        corners = boxes.corners * np.array([width, height] * 2, np.float32)
        return masks_within(boxes.extra, prototypes, corners)

    def mask_maps(
        self, boxes: Boxes, outputs: Mapping[str, Any], frame: tuple[int, int]
    ) -> Iterator[NDArray[np.float32]]:
        """The mask of each box in pixels of a frame (height, width): float32 H×W, foreground above 0.5."""
        assert boxes.extra is not None
        window, prototypes = Window(frame, self.size, self.preprocessing), self.arrays(outputs)[1]
        for coefficients, corners in zip(boxes.extra, boxes.corners, strict=True):
            values = mask_values(coefficients[None], prototypes)[0]
            yield within(window.map(sigmoid(np.nan_to_num(values))), corners)

    def keypoints_of(self, boxes: Boxes, frame: tuple[int, int] | None = None) -> NDArray[np.float32]:
        """The keypoints of boxes: float32 N×K×3 of x, y and how visible, 0 … 1.

        frame: (height, width) of that in whose pixels they are; None: of the input.
        """
        assert boxes.extra is not None
        points = boxes.extra.reshape(len(boxes), self.keypoints, 3).copy()
        if frame is not None:
            window = Window(frame, self.size, self.preprocessing)
            points[..., :2] = window.points(points[..., :2].reshape(-1, 2)).reshape(len(boxes), -1, 2)
        return points

    def under_boxes(
        self,
        pixels: NDArray[np.uint8],
        boxes: Boxes,
        outputs: Mapping[str, Any],
        colors: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        if self.masks and boxes.extra is not None:
            maps = self.mask_maps(boxes, outputs, (pixels.shape[0], pixels.shape[1]))
            for color, shown in zip(colors, maps, strict=True):
                pixels = tint_mask(pixels, shown, (int(color[0]), int(color[1]), int(color[2])))
        return pixels

    def over_boxes(self, canvas: Canvas, boxes: Boxes) -> None:
        if not self.keypoints or boxes.extra is None:
            return
        colors = [MIDDLE if k == 0 else LEFT if k % 2 else RIGHT for k in range(self.keypoints)]
        bones = COCO_BONES if self.keypoints == COCO_POINTS else ()
        for points in self.keypoints_of(boxes, (canvas.height, canvas.width))[::-1]:
            canvas.skeleton(points[:, :2], (points[:, 2] > VISIBLE).tolist(), bones, colors)


def _are_masks(shape: Shape, count: int) -> bool:
    """Whether an output's shape is that of prototypes of masks, of which there are so many."""
    return len(shape) == 3 and shape[0] == count


def _joints(network: Graph, value: str, first: int = 0) -> set[int]:
    """The rows of a value 1×rows×P before which parts are joined. first: its first row."""
    node = next((node for node in network.nodes if node.name == value), None)
    found: set[int] = set()
    if node is not None and node.op == "concat" and node.attributes["dim"] == 1:
        for part in node.inputs:
            found |= _joints(network, part, first) | {first}
            first += network.shapes[part][1]
    return found - {0}


def _without_extra(network: Graph, output: str, count: int, shapes: dict[str, Shape]) -> int:
    """How many of an output's `count` rows behind the box are classes: not those of masks and keypoints."""
    names = len(network.preprocessing.boxes.names)
    masks = [shape[0] for shape in shapes.values() if len(shape) == 3]
    if names and 0 < names <= count:
        extra, joints = count - names, _joints(network, network.outputs[output])
        # A keypoint is x, y and how visible it is; what joins keypoints to classes does so between them.
        points = extra % 3 == 0 and (not joints or 4 + names in joints)
        if extra == 0 or extra in masks or points:
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
