"""Landmarks: points regressed by the network, the distance between two sets of them, and their drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.network.graph import Network
from videoquant.tasks.base import Agreement, Mean, Measure, Task, Together, one, probability, threshold_of
from videoquant.tasks.drawing import LEFT, MIDDLE, RIGHT, Canvas, Window, tint_mask
from videoquant.tasks.segmentation import MASK_IOU, MaskAgreement

LANDMARK_DISTANCE = Measure("landmark_distance", "landmark distance", "%", higher_is_better=False, digits=2)
DISTANCE_CAP = 100.0  # percent; also the distance of an output that is not finite

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
    def of(cls, network: Network) -> Landmarks | None:
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

    def agreement(self) -> Agreement:
        return distance_agreement(self.primary, self.values)

    def draw(self, pixels: NDArray[np.uint8], outputs: dict[str, Tensor]) -> NDArray[np.uint8]:
        """A dot for every point that is finite, smaller the more there are."""
        window = Window((pixels.shape[0], pixels.shape[1]), self.size, self.preprocessing)
        points = window.points(plane(one(outputs, self.primary), self.values).numpy())
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
    def of(cls, network: Network) -> BodyLandmarks | None:
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

    def agreement(self) -> Agreement:
        points = distance_agreement(self.primary, self.values)
        return Together(points, MaskAgreement(self.mask, 1, self.mask_threshold)) if self.mask else points

    def draw(self, pixels: NDArray[np.uint8], outputs: dict[str, Tensor]) -> NDArray[np.uint8]:
        """The mask as a tint and the visible points, joined to a skeleton where they are MediaPipe's body."""
        window = Window((pixels.shape[0], pixels.shape[1]), self.size, self.preprocessing)
        if self.mask:
            mask = one(outputs, self.mask)[0]
            pixels = tint_mask(pixels, window.map(probability(mask, self.mask_threshold)))
        numbers = one(outputs, self.primary).reshape(-1, self.values)
        body = len(numbers) >= BODY_POINTS
        numbers = numbers[:BODY_POINTS] if body else numbers
        visible = (
            numbers[:, 3] > 0
            if self.values == 5
            else torch.ones(len(numbers), dtype=torch.bool, device="cpu")
        )
        canvas = Canvas(pixels)
        canvas.skeleton(
            window.points(numbers[:, :2].numpy()),
            visible.tolist(),
            BODY_BONES if body else (),
            [_side(index) for index in range(len(numbers))],
        )
        return canvas.picture()


def distance_agreement(output: str, values: int) -> Agreement:
    """`landmark_distance`: the mean over the frames of `landmark_distance`; values: numbers a point."""
    return Mean(LANDMARK_DISTANCE.name, output, partial(landmark_distance, values=values))


def landmark_distance(reference: Tensor, output: Tensor, values: int) -> float:
    """The mean distance of corresponding points in the image plane, in percent of the body's or face's size.

    That size is the diagonal of the bounding box of all reference points. At most `DISTANCE_CAP`, which is
    also the distance where either is not finite, and where the reference's points coincide but the output's
    are elsewhere.
    """
    a, b = plane(reference, values).double(), plane(output, values).double()
    distance = float(torch.linalg.vector_norm(a - b, dim=1).mean())
    diagonal = float(torch.linalg.vector_norm(a.amax(0) - a.amin(0)))
    if distance == 0:
        return 0.0
    percent = 100 * distance / diagonal if diagonal > 0 else DISTANCE_CAP
    return min(percent, DISTANCE_CAP) if math.isfinite(percent) else DISTANCE_CAP


def plane(numbers: Tensor, values: int) -> Tensor:
    """The points' (x, y), P×2, of P·values numbers in any shape."""
    return numbers.reshape(-1, values)[:, :2]


def list_length(network: Network, output: str) -> int:
    """How many numbers an output holds; 0 where it is absent, or a map or matrix instead of a list."""
    if output not in network.outputs:
        return 0
    shape = torch.Size(network.shapes[network.outputs[output]][1:])
    return shape.numel() if shape and max(shape) == shape.numel() else 0


def _side(index: int) -> tuple[int, int, int]:
    if index == 0 or index >= BODY_POINTS:
        return MIDDLE
    if index < 11:
        return LEFT if index in _LEFT_FACE else RIGHT
    return LEFT if index % 2 else RIGHT
