"""Landmarks: points regressed by the network, the distance between two sets of them, and their drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from videoquant.tasks.base import Graph, Measure, Task, one, probability, threshold_of
from videoquant.tasks.drawing import LEFT, MIDDLE, RIGHT, Canvas, Window, tint_mask
from videoquant.tasks.segmentation import MASK_IOU

LANDMARK_DISTANCE = Measure("landmark_distance", "landmark distance", "%", higher_is_better=False, digits=2)

# The 33 points of MediaPipe's body model: 0 nose, 1–10 face, then left (odd) and right (even) from 11, the
# shoulders, to 32, the feet. The network's 6 further points are for its own tracking.
BODY_POINTS = 33
BODY_BONES = (
    (0, 1), (1, 2), (2, 3), (3, 7), (0, 4), (4, 5), (5, 6), (6, 8), (9, 10),
    (11, 12), (11, 13), (13, 15), (15, 17), (15, 19), (15, 21), (17, 19),
    (12, 14), (14, 16), (16, 18), (16, 20), (16, 22), (18, 20), (11, 23), (12, 24), (23, 24),
    (23, 25), (25, 27), (27, 29), (29, 31), (27, 31), (24, 26), (26, 28), (28, 30), (30, 32), (28, 32),
)  # fmt: skip
_LEFT_FACE, _RIGHT_FACE = (1, 2, 3, 7, 9), (4, 5, 6, 8, 10)


@dataclass(frozen=True)
class Landmarks(Task):
    """Points from one output of P·k numbers: k numbers a point, (x, y) in pixels of the input first.

    values: k, 3 for (x, y, z), 2 for (x, y).
    """

    name: ClassVar[str] = "landmarks"

    values: int

    @classmethod
    def of(cls, network: Graph) -> Landmarks | None:
        """The task by the output called "landmarks", else the first list of numbers that are points.

        Numbers that divide by 3 are read as (x, y, z), else by 2 as (x, y). None where there is no such list.
        """
        names = sorted(network.outputs, key=lambda name: name != "landmarks")
        for output in names:
            numbers = list_length(network, output)
            for values in (3, 2):
                if numbers >= 2 * values and numbers % values == 0:
                    return cls(output, network.size, network.preprocessing, values)
        return None

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (LANDMARK_DISTANCE,)

    def draw(self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any]) -> NDArray[np.uint8]:
        """A dot for every point that is finite, smaller the more there are."""
        window = Window((pixels.shape[0], pixels.shape[1]), self.size, self.preprocessing)
        points = window.points(plane(one(outputs, self.primary), self.values))
        canvas = Canvas(pixels)
        radius = canvas.stroke * (0.55 if len(points) > 150 else 1.2)
        for point in points:
            canvas.dot(point, radius, MIDDLE)
        return canvas.picture()


@dataclass(frozen=True)
class BodyLandmarks(Task):
    """A body as points (x, y, z, visibility, presence) in pixels of the input, and its mask if there is one.

    values: numbers a point, 5, 3 or 2.
    mask: the mask's output, None where absent.
    mask_threshold: see `threshold_of`.

    Visibility is a logit, as MediaPipe's networks give it.
    """

    name: ClassVar[str] = "pose"

    values: int
    mask: str | None
    mask_threshold: float

    @classmethod
    def of(cls, network: Graph) -> BodyLandmarks | None:
        """The task by an output called "landmarks" of 5, 3 or 2 numbers a point; None where there is none."""
        numbers = list_length(network, "landmarks")
        values = next((k for k in (5, 3, 2) if numbers >= 2 * k and numbers % k == 0), 0)
        if not values:
            return None
        shape = network.shapes[network.outputs["mask"]] if "mask" in network.outputs else ()
        mask = "mask" if len(shape) == 4 and shape[1] == 1 else None
        threshold = threshold_of(network, mask) if mask else 0.0
        return cls("landmarks", network.size, network.preprocessing, values, mask, threshold)

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (LANDMARK_DISTANCE, MASK_IOU) if self.mask else (LANDMARK_DISTANCE,)

    def draw(self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any]) -> NDArray[np.uint8]:
        """The mask as a tint and the visible points, joined to a skeleton where they are MediaPipe's body."""
        window = Window((pixels.shape[0], pixels.shape[1]), self.size, self.preprocessing)
        if self.mask:
            mask = one(outputs, self.mask)[0]
            pixels = tint_mask(pixels, window.map(probability(mask, self.mask_threshold)))
        numbers = one(outputs, self.primary).reshape(-1, self.values)
        body = len(numbers) >= BODY_POINTS
        numbers = numbers[:BODY_POINTS] if body else numbers
        visible = numbers[:, 3] > 0 if self.values == 5 else np.ones(len(numbers), bool)
        canvas = Canvas(pixels)
        canvas.skeleton(
            window.points(numbers[:, :2]),
            visible.tolist(),
            BODY_BONES if body else (),
            [_side(index) for index in range(len(numbers))],
        )
        return canvas.picture()


def plane(numbers: NDArray[np.float32], values: int) -> NDArray[np.float32]:
    """The points' (x, y), P×2, of P·values numbers in any shape."""
    return numbers.reshape(-1, values)[:, :2]


def list_length(network: Graph, output: str) -> int:
    """How many numbers an output holds; 0 where it is absent, or a map or matrix instead of a list."""
    if output not in network.outputs:
        return 0
    shape = network.shapes[network.outputs[output]][1:]
    return max(shape) if shape and max(shape) == math.prod(shape) else 0


def _side(index: int) -> tuple[int, int, int]:
    if index == 0 or index >= BODY_POINTS:
        return MIDDLE
    if index < 11:
        return LEFT if index in _LEFT_FACE else RIGHT
    return LEFT if index % 2 else RIGHT
