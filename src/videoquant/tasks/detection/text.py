"""Lines of text in PP-OCR's map of probabilities: the regions above a threshold, each widened a little.

Upright boxes; lines at an angle get the box around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from videoquant.tasks.base import Graph
from videoquant.tasks.detection.boxes import Boxes
from videoquant.tasks.detection.detector import Array, Detection, shapes_of

_INSIDE = 0.3  # a pixel of text
_WIDEN = 1.5  # the network is trained on shrunk lines: they grow by area · 1.5 / perimeter on every side
_SMALLEST = 3  # pixels of the shorter side


@dataclass(frozen=True)
class TextBoxes(Detection):
    """PP-OCR's detection: a map 1×H×W of the input's size, of probabilities (Liao et al.: DB, AAAI 2020).

    A region's score is the mean probability within its box.
    """

    families: ClassVar = ("ppocr",)
    default_score: ClassVar = 0.6
    default_overlap: ClassVar = 1.0

    @classmethod
    def read(cls, network: Graph) -> dict[str, Any] | None:
        output = next((n for n, s in shapes_of(network).items() if s == (1, *network.size)), None)
        return None if output is None else {"outputs": (output,), "classes": 1}

    def candidates(self, outputs: Sequence[Array]) -> Boxes:
        values = np.nan_to_num(outputs[0][0])
        corners, scores = [], []
        for left, top, right, bottom in regions(values > _INSIDE):
            width, height = right - left, bottom - top
            score = float(values[top:bottom, left:right].mean())
            if min(width, height) >= _SMALLEST and score >= self.score:
                grow = width * height * _WIDEN / (2 * (width + height))
                corners.append((left - grow, top - grow, right + grow, bottom + grow))
                scores.append(score)
        return Boxes.of(corners, scores, np.zeros(len(scores)))


def regions(inside: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """The box (left, top, right, bottom) of every region of a mask H×W, whose pixels touch by side or corner.

    In reading order of their first pixels. Runs of pixels in a row are joined with those of the row above.
    """
    padded = np.pad(inside, ((0, 0), (1, 1))).astype(np.int8)
    rows, starts = np.nonzero(np.diff(padded, axis=1) == 1)
    ends = np.nonzero(np.diff(padded, axis=1) == -1)[1]
    parent = np.arange(len(rows)).tolist()

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    first = np.searchsorted(rows, np.arange(inside.shape[0] + 1)).tolist()
    for row in range(1, inside.shape[0]):
        above, below = range(first[row - 1], first[row]), range(first[row], first[row + 1])
        upper = above.start
        for run in below:
            while upper < above.stop and ends[upper] < starts[run]:
                upper += 1
            other = upper
            while other < above.stop and starts[other] <= ends[run]:
                a, b = root(run), root(other)
                parent[max(a, b)] = min(a, b)
                other += 1
    boxes: dict[int, list[int]] = {}
    for run in range(len(rows)):
        row, start, end = int(rows[run]), int(starts[run]), int(ends[run])
        box = boxes.setdefault(root(run), [start, row, end, row + 1])
        box[0], box[2], box[3] = min(box[0], start), max(box[2], end), row + 1
    return [(box[0], box[1], box[2], box[3]) for box in boxes.values()]
