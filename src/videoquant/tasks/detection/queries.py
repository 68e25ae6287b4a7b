"""Boxes of transformers' queries: DETR, RT-DETR, RF-DETR and what is like them, which suppress nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from videoquant.tasks.base import Graph, is_probability, sigmoid
from videoquant.tasks.detection.boxes import Boxes
from videoquant.tasks.detection.detector import Array, Detection, around, best_classes, shapes_of


@dataclass(frozen=True)
class QueryBoxes(Detection):
    """N×4 and N×C, or N×(4 + C) where the family is named: centre and size in shares of the input; scores.

    activation: what turns scores into probabilities, "sigmoid", "softmax" (DETR, whose last class is nothing)
        or "".
    """

    families: ClassVar = ("rtdetr", "rfdetr", "detr")
    default_overlap: ClassVar = 1.0

    activation: str

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        """Unless it is named, by boxes that the graph confines to 0..1, as no other family's are."""
        shapes, family = shapes_of(network), network.preprocessing.boxes.family
        rows = {name: shape for name, shape in shapes.items() if len(shape) == 2}
        fours = [name for name, shape in rows.items() if shape[1] == 4]
        boxes = next((name for name in fours if is_probability(network, name)), None)
        boxes = fours[0] if boxes is None and family and fours else boxes
        if boxes is None:
            whole = next((name for name, shape in rows.items() if family and shape[1] > 4), None)
            if whole is None:
                return None
            return {"outputs": (whole,), "classes": rows[whole][1] - 4, "activation": ""}
        scores = next((n for n, s in rows.items() if n != boxes and s[0] == rows[boxes][0]), None)
        if scores is None:
            return None
        raw = "softmax" if family == "detr" else "sigmoid"
        activation = "" if is_probability(network, scores) else raw
        classes = rows[scores][1] - (activation == "softmax")
        return {"outputs": (boxes, scores), "classes": classes, "activation": activation}

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        values = np.concatenate(outputs, 1)
        places, scores = values[:, :4] * np.array(self.size[::-1] * 2, np.float32), values[:, 4:]
        if self.activation == "sigmoid":
            scores = sigmoid(scores)
        elif self.activation == "softmax":
            powers = np.exp(scores.astype(np.float64) - scores.max(1, keepdims=True))
            scores = (powers / powers.sum(1, keepdims=True)).astype(np.float32)
        rows, classes, found = best_classes(scores[:, : self.classes], self.score)
        return Boxes(around(places[rows, :2], places[rows, 2:]), found, classes)
