"""The detection task: boxes from a network's outputs, brought back to the frame and drawn on it.

Each family of detectors is a class of its own, which knows its outputs by their shapes and decodes them.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from videoquant.errors import DataError, NetworkError
from videoquant.network.frames import as_array
from videoquant.tasks.base import Graph, Measure, Task
from videoquant.tasks.detection.boxes import Boxes, suppress
from videoquant.tasks.drawing import Canvas, Window, palette

Array = NDArray[np.float32]
Shape = tuple[int, ...]
_Detector = TypeVar("_Detector", bound="Detection")

BOX_F1 = Measure("box_f1", "box F1")


@dataclass(frozen=True)
class Detection(Task):
    """Boxes with a class and a score each.

    outputs: those that hold boxes, in the order in which the family reads them.
    classes: how many there are; 0 where the outputs do not say.
    names: of the classes, or () where they have none.
    score: boxes below it are dropped.
    overlap: of two boxes of a class that overlap more, the weaker goes; 1 where the network has done so.
    """

    name: ClassVar[str] = "detection"
    families: ClassVar[tuple[str, ...]]  # names of `box_layout.FAMILIES` that are read this way
    default_score: ClassVar[float] = 0.25
    default_overlap: ClassVar[float] = 0.45

    outputs: tuple[str, ...]
    classes: int
    names: tuple[str, ...]
    score: float
    overlap: float

    @classmethod
    def of(cls: type[_Detector], network: Graph) -> _Detector | None:
        """The task where the outputs are those of this family; None where they are not.

        Raises `NetworkError` where what is said of the boxes contradicts the outputs.
        """
        said = network.preprocessing.boxes
        if said.family is not None and said.family not in cls.families:
            return None
        found = cls.read(network)
        if found is None:
            return None
        classes = found["classes"]
        if said.names and classes and len(said.names) != classes:
            raise NetworkError(
                f"names of {len(said.names)} classes, but the outputs ({described(network)}) have {classes}; "
                "give as many with --names, or another family with --boxes"
            )
        given: dict[str, Any] = {
            "names": said.names,
            "score": cls.default_score if said.score is None else said.score,
            "overlap": cls.default_overlap if said.overlap is None else said.overlap,
        }
        if said.names and not classes:
            found["classes"] = len(said.names)
        return cls(found["outputs"][0], network.size, network.preprocessing, **(given | found))

    @classmethod
    @abstractmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        """`outputs`, `classes` and the family's own fields, by the outputs' shapes; None if not its own."""

    @abstractmethod
    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        """All boxes of at least `score`, in pixels of the input.

        outputs: the arrays of `self.outputs` without the dimension N.
        """

    @property
    def family(self) -> str:
        """One of `box_layout.FAMILIES`: the one that was named, else the best known that is read this way."""
        return self.preprocessing.boxes.family or self.families[0]

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (BOX_F1,)

    def arrays(self, outputs: Mapping[str, Any]) -> list[Array]:
        """The arrays of `self.outputs`, float32 without the dimension N. Raises `DataError`."""
        missing = [name for name in self.outputs if name not in outputs]
        if missing:
            there = ", ".join(map(repr, outputs)) or "none"
            raise DataError(f"output {missing[0]!r} is missing; there are {there}")
        arrays = {name: as_array(outputs[name]).astype(np.float32, copy=False) for name in self.outputs}
        for name, array in arrays.items():
            if array.ndim > 2 and len(array) != 1:
                raise DataError(f"output {name!r} must hold one frame (N = 1); its shape is {array.shape}")
        return [array[0] if array.ndim > 1 and len(array) == 1 else array for array in arrays.values()]

    def found(self, outputs: Mapping[str, Any], score: float | None = None) -> Boxes:
        """What the outputs (N = 1) show, in pixels of the input, strongest first.

        score: in place of the task's own.
        """
        task = self if score is None else replace(self, score=score)
        with np.errstate(all="ignore"):  # a broken network may give anything; what is not finite goes
            found = task.candidates(self.arrays(outputs))
            corners = found.corners
            sound = np.isfinite(corners).all(1) & (corners[:, 2:] > corners[:, :2]).all(1)
        return suppress(found[sound & np.isfinite(found.scores)], self.overlap)

    def boxes(self, frame: tuple[int, int], outputs: Mapping[str, Any], score: float | None = None) -> Boxes:
        """As `found`, in pixels of the frame and within it. frame: (height, width)."""
        found = self.found(outputs, score)
        window = Window(frame, self.size, self.preprocessing)
        corners = window.points(found.corners.reshape(-1, 2)).reshape(-1, 4)
        corners = corners.clip(0, np.array([frame[1], frame[0]] * 2, np.float32))
        seen = (corners[:, 2:] > corners[:, :2]).all(1)
        return replace(found, corners=corners)[seen]

    def draw(self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any]) -> NDArray[np.uint8]:
        """A frame around every box in its class's colour, with the class and the score.

        Where the network gives masks and keypoints of what is in a box, those too.
        """
        return self.draw_boxes(pixels, self.boxes((pixels.shape[0], pixels.shape[1]), outputs), outputs)

    def draw_boxes(
        self, pixels: NDArray[np.uint8], boxes: Boxes, outputs: Mapping[str, Any]
    ) -> NDArray[np.uint8]:
        """As `draw`, of boxes in the frame's pixels; tracked ones have their track's number and colour."""
        by = boxes.classes if boxes.tracks is None else boxes.tracks
        colors = palette(max(1, self.classes, int(by.max(initial=0)) + 1))
        canvas = Canvas(self.under_boxes(pixels, boxes, outputs, colors[by]))
        for index in range(len(boxes))[::-1]:  # the strongest last, on top
            label, score = int(boxes.classes[index]), float(boxes.scores[index])
            text = f"{self.names[label] if label < len(self.names) else label}" if self.classes != 1 else ""
            text = self.names[0] if self.classes == 1 and self.names else text
            number = "" if boxes.tracks is None else f"#{boxes.tracks[index]} "
            red, green, blue = (int(part) for part in colors[by[index]])
            canvas.box(boxes.corners[index], f"{number}{text} {score:.0%}".strip(), (red, green, blue))
        self.over_boxes(canvas, boxes)
        return canvas.picture()

    def under_boxes(
        self,
        pixels: NDArray[np.uint8],
        boxes: Boxes,
        outputs: Mapping[str, Any],
        colors: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """The frame that boxes are drawn on: with masks, where the family has some. colors: of each box."""
        return pixels

    def over_boxes(self, canvas: Canvas, boxes: Boxes) -> None:
        """What is drawn upon boxes: keypoints, where the family has some."""


def shapes_of(network: Graph) -> dict[str, Shape]:
    """The shape of every output without the dimension N, where it has one."""
    shapes = {name: tuple(network.shapes[value]) for name, value in network.outputs.items()}
    return {name: shape[1:] if len(shape) > 1 and shape[0] == 1 else shape for name, shape in shapes.items()}


def described(network: Graph) -> str:
    """The outputs and their shapes, for messages."""
    shapes = ((name, network.shapes[value]) for name, value in network.outputs.items())
    return ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, shape in shapes)


def grid(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """(rows, columns) of the cells of an input of `size` at a stride."""
    return math.ceil(size[0] / stride), math.ceil(size[1] / stride)


def cell_count(size: tuple[int, int], strides: Sequence[int]) -> int:
    """How many cells there are at all strides together."""
    return sum(math.prod(grid(size, stride)) for stride in strides)


# Those that detectors have: most of them; with a coarser and a finer map; of tiny ones.
STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))


def strides_for(size: tuple[int, int], cells: int, known: Sequence[Shape] = STRIDES) -> Shape | None:
    """The strides that give an input of `size` so many cells; None where none of the known do."""
    return next((strides for strides in known if cell_count(size, strides) == cells), None)


def cells(size: tuple[int, int], stride: int) -> Array:
    """(column, row) of every cell at a stride, row by row: float32 P×2."""
    rows, columns = grid(size, stride)
    places = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1)
    return places.reshape(-1, 2).astype(np.float32)


def best_classes(scores: Array, least: float) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Of scores P×C, the rows whose largest is at least `least`, its class and its value."""
    classes = np.nan_to_num(scores, nan=-1).argmax(1)
    values = scores[np.arange(len(scores)), classes]
    rows = np.flatnonzero(values >= least)
    return rows, classes[rows].astype(np.int64), values[rows]


def around(centres: Array, sizes: Array) -> Array:
    """Corners of boxes by their centres (x, y) and sizes (width, height), both P×2."""
    corners: Array = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1)
    return corners


def comes_from(network: Graph, output: str, *operators: str) -> bool:
    """Whether one of the operators stands between an output and the layers before it."""
    nodes = {node.name: node for node in network.nodes}
    waiting, seen = [network.outputs[output]], set()
    while waiting:
        node = nodes.get(waiting.pop())
        if node is None or node.is_layer or node.name in seen:
            continue
        if node.op in operators:
            return True
        seen.add(node.name)
        waiting += node.inputs
    return False
