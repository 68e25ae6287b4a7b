"""Targets: what a data set says is right about a picture, one plain value per kind of task.

Points are (x, y) in pixels of the picture; (0, 0) is the centre of its first pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassLabel:
    """The class of a picture, from 0."""

    index: int


@dataclass(frozen=True, eq=False)
class LabelMap:
    """The class of every pixel.

    labels: uint8 H×W of the picture.
    void: the id of pixels that no metric counts.
    """

    labels: NDArray[np.uint8]
    void: int


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The landmarks of a face.

    points: float32 P×2.
    eyes: the points at the outer corners of the eyes, whose distance is the unit of NME.
    visible: bool P, False for what is hidden; all True where the data set does not say.
    """

    points: NDArray[np.float32]
    eyes: tuple[int, int]
    visible: NDArray[np.bool_]

    @property
    def inter_ocular(self) -> float:
        """The distance of the outer corners of the eyes, in pixels."""
        left, right = self.eyes
        return float(np.linalg.norm(self.points[left] - self.points[right]))


@dataclass(frozen=True, eq=False)
class Joints:
    """The joints of one person.

    points: float32 P×2.
    visible: bool P, False for joints that no metric counts.
    box: (left, top, width, height) around the person in pixels, whose longer side is the unit of PCK.
    """

    points: NDArray[np.float32]
    visible: NDArray[np.bool_]
    box: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Picture:
    """The picture in high resolution.

    pixels: uint8 RGB, `scale` times the height and width of the sample's.
    """

    pixels: NDArray[np.uint8]
    scale: int


@dataclass(frozen=True, eq=False)
class Objects:
    """The things in a picture.

    corners: float32 N×4, (left, top, right, bottom) in pixels; 0 is the outer edge of the first pixel.
    classes: int64 N, places in the data set's `labels`.
    ignored: bool N, crowds and the like: what is found there counts neither way.
    tracks: int64 N, the number of the thing through the video; () where the data set has none.
    """

    corners: NDArray[np.float32]
    classes: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    tracks: NDArray[np.int64]


Target = ClassLabel | LabelMap | Landmarks | Joints | Picture | Objects
