"""PicoDet's and NanoDet's boxes: from each cell the distance to the four sides, each as a distribution.

A distance is the mean of its distribution over 0 … R, times the stride (Li et al.: Generalized focal loss,
NeurIPS 2020).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from videoquant.tasks.base import Graph, is_probability, sigmoid
from videoquant.tasks.detection.boxes import Boxes
from videoquant.tasks.detection.detector import (
    STRIDES,
    Array,
    Detection,
    Shape,
    best_classes,
    cells,
    comes_from,
    grid,
    shapes_of,
    strides_for,
)

_BINS = 8  # 0 … 7, as both families are trained


@dataclass(frozen=True)
class DistanceBoxes(Detection):
    """PicoDet: per stride P×C scores and P×4·8 distances; NanoDet: the same, or P×(C + 4·8) of all strides.

    strides: of the maps, in the order of the outputs: all the scores, then all the distances.
    centre: where in its cell a distance begins: 0.5, or 0 in NanoDet-Plus, which has one output.
    activated: whether scores are probabilities already.
    """

    families: ClassVar = ("picodet", "nanodet")
    default_score: ClassVar = 0.4
    default_overlap: ClassVar = 0.5

    strides: tuple[int, ...]
    centre: float
    activated: bool

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        return _of_maps(network) or _joined(network)

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        count = len(self.strides)
        if len(outputs) == 1:
            ends = np.cumsum([len(cells(self.size, stride)) for stride in self.strides])[:-1]
            parts = np.split(outputs[0], ends)
            outputs = [p[:, : self.classes] for p in parts] + [p[:, self.classes :] for p in parts]
        found = []
        for stride, scores, distances in zip(self.strides, outputs[:count], outputs[count:], strict=True):
            if not self.activated:
                scores = sigmoid(scores)
            rows, classes, values = best_classes(scores, self.score)
            left, top, right, bottom = (_mean(distances[rows]) * stride).T
            x, y = ((cells(self.size, stride)[rows] + np.float32(self.centre)) * stride).T
            found.append(Boxes(np.stack([x - left, y - top, x + right, y + bottom], 1), values, classes))
        return Boxes.joined(found)


def _of_maps(network: Graph) -> dict[str, Any] | None:
    """Two outputs at each stride, one of which has 4·8 channels."""
    shapes = {name: shape for name, shape in shapes_of(network).items() if len(shape) == 2}
    for strides in sorted(STRIDES, key=len, reverse=True):
        sizes = [math.prod(grid(network.size, stride)) for stride in strides]
        pairs = [[name for name, shape in shapes.items() if shape[0] == count] for count in sizes]
        distances = [_pick(names, shapes, 4 * _BINS) for names in pairs]
        scores = [
            next((name for name in names if name != other), None)
            for names, other in zip(pairs, distances, strict=True)
        ]
        if all(len(names) == 2 for names in pairs) and None not in (*distances, *scores):
            first = str(scores[0])
            return {
                "outputs": (*scores, *distances),
                "classes": shapes[first][1],
                "strides": strides,
                "centre": 0.5,
                "activated": is_probability(network, first),
            }
    return None


def _pick(names: Sequence[str], shapes: Mapping[str, Shape], channels: int) -> str | None:
    """The last of them with so many channels: scores, which may have as many, come first in such files."""
    return next((name for name in reversed(names) if shapes[name][1] == channels), None)


def _joined(network: Graph) -> dict[str, Any] | None:
    """One output of all strides. With three strides it could be YOLOX's, unless the family is told."""
    told = network.preprocessing.boxes.family is not None
    for output, shape in shapes_of(network).items():
        classes = shape[-1] - 4 * _BINS
        if len(shape) != 2 or classes < 1:
            continue
        strides = strides_for(network.size, shape[0], STRIDES if told else STRIDES[1:2])
        if strides:
            fields = {"strides": strides, "centre": 0.0 if len(strides) == 4 else 0.5}
            activated = comes_from(network, output, "sigmoid")  # of its scores
            return {"outputs": (output,), "classes": classes, "activated": activated} | fields
    return None


def _mean(distributions: Array) -> Array:
    """The mean of each distribution of logits, P×4·8 → P×4."""
    logits = distributions.reshape(len(distributions), 4, _BINS).astype(np.float64)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    mean: Array = ((powers @ np.arange(_BINS)) / powers.sum(-1)).astype(np.float32)
    return mean
