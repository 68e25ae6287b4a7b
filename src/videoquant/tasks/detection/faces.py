"""Faces: CenterFace's maps, RetinaFace's priors, SCRFD's distances. The points of a face are not read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from videoquant.tasks.base import Graph, is_probability, sigmoid
from videoquant.tasks.detection.boxes import Boxes
from videoquant.tasks.detection.detector import (
    Array,
    Detection,
    around,
    best_classes,
    cell_count,
    cells,
    grid,
    shapes_of,
)


@dataclass(frozen=True)
class CenterBoxes(Detection):
    """CenterFace: a map of scores, the logarithm of (height, width) and the (y, x) within the cell.

    C×h×w, 2×h×w and 2×h×w at stride 4 (Xu et al., 2019): the centre of a box is (cell + offset + 0.5)·4, its
    size e^s·4. The points of faces are a map of ten channels.
    activated: whether scores are probabilities already.
    """

    families: ClassVar = ("centerface",)
    default_score: ClassVar = 0.5
    default_overlap: ClassVar = 0.3

    activated: bool

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        size = grid(network.size, 4)
        maps = {name: s[0] for name, s in shapes_of(network).items() if len(s) == 3 and s[1:] == size}
        pairs = [name for name, channels in maps.items() if channels == 2]
        heat = [name for name, channels in maps.items() if channels not in (2, 10)]
        if len(pairs) != 2 or len(heat) != 1:
            return None
        activated = is_probability(network, heat[0])
        return {"outputs": (*heat, *pairs), "classes": maps[heat[0]], "activated": activated}

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        heat, scale, offset = (values.reshape(len(values), -1).T for values in outputs)
        rows, classes, scores = best_classes(heat if self.activated else sigmoid(heat), self.score)
        places = cells(self.size, 4)[rows]
        centres = (places + offset[rows, ::-1] + np.float32(0.5)) * 4
        return Boxes(around(centres, np.exp(scale[rows, ::-1]) * 4), scores, classes)


_SIZES = {8: (16, 32), 16: (64, 128), 32: (256, 512)}  # of the priors at each stride, in pixels


@dataclass(frozen=True)
class PriorFaces(Detection):
    """RetinaFace: P×4 against priors, P×2 of nothing and face, with two priors per cell at strides 8, 16, 32.

    A prior is a square of side p around the middle m of its cell; a box's centre is m + 0.1·x·p, its size
    p·e^(0.2·w) (Deng et al., CVPR 2020).
    activated: whether scores are probabilities already.
    """

    families: ClassVar = ("retinaface",)
    default_score: ClassVar = 0.5
    default_overlap: ClassVar = 0.4

    activated: bool

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        count = 2 * cell_count(network.size, tuple(_SIZES))
        shapes = shapes_of(network)
        boxes, scores = (next((n for n, s in shapes.items() if s == (count, k)), None) for k in (4, 2))
        if boxes is None or scores is None:
            return None
        activated = is_probability(network, scores)
        return {"outputs": (scores, boxes), "classes": 1, "activated": activated}

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        scores, values = outputs
        faces = scores[:, 1:] if self.activated else sigmoid(scores[:, 1:] - scores[:, :1])
        rows, classes, found = best_classes(faces, self.score)
        centres, sides = [], []
        for stride, sizes in _SIZES.items():
            places = (cells(self.size, stride) + np.float32(0.5)) * stride
            centres.append(np.repeat(places, len(sizes), 0))
            sides.append(np.tile(np.array(sizes, np.float32), len(places)))
        side = np.concatenate(sides)[rows, None]
        centre = np.concatenate(centres)[rows] + np.float32(0.1) * values[rows, :2] * side
        return Boxes(around(centre, side * np.exp(np.float32(0.2) * values[rows, 2:])), found, classes)


@dataclass(frozen=True)
class DistanceFaces(Detection):
    """SCRFD: per stride P×1 scores and P×4 distances to the sides in strides, from the corner of the cell.

    strides: of the maps, in the order of the outputs: all the scores, then all the distances.
    per_cell: boxes of each cell.
    activated: whether scores are probabilities already.
    """

    families: ClassVar = ("scrfd",)
    default_score: ClassVar = 0.5
    default_overlap: ClassVar = 0.4

    strides: tuple[int, ...]
    per_cell: int
    activated: bool

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        shapes = shapes_of(network)
        for strides in ((8, 16, 32), (8, 16, 32, 64, 128)):
            for per_cell in (2, 1):
                counts = [per_cell * math.prod(grid(network.size, stride)) for stride in strides]
                scores, boxes = (
                    [next((n for n, s in shapes.items() if s == (count, k)), None) for count in counts]
                    for k in (1, 4)
                )
                if None not in (*scores, *boxes):
                    activated = is_probability(network, str(scores[0]))
                    fields = {"strides": strides, "per_cell": per_cell, "activated": activated}
                    return {"outputs": (*scores, *boxes), "classes": 1} | fields
        return None

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        count = len(self.strides)
        found = []
        for stride, scores, distances in zip(self.strides, outputs[:count], outputs[count:], strict=True):
            rows, classes, values = best_classes(scores if self.activated else sigmoid(scores), self.score)
            x, y = (np.repeat(cells(self.size, stride), self.per_cell, 0)[rows] * stride).T
            left, top, right, bottom = (distances[rows] * stride).T
            found.append(Boxes(np.stack([x - left, y - top, x + right, y + bottom], 1), values, classes))
        return Boxes.joined(found)
