"""Which boxes of two sets are the same: one to one, of one class, nearest first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from videoquant.tasks.detection.boxes import Boxes, overlaps

SAME = 0.5  # of intersection over union, from which two boxes are the same


def match(a: Boxes, b: Boxes, least: float = SAME) -> NDArray[np.int64]:
    """The pairs (index in a, index in b), int64 P×2, of boxes of one class that overlap by `least` or more.

    The pair that overlaps most is taken first, of equal ones that of the first indexes; a box is in one pair
    at most. Swapping the sets gives the same number of pairs, unless overlaps are equal.
    """
    overlap = overlaps(a.corners, b.corners)
    overlap[a.classes[:, None] != b.classes[None]] = 0
    rows, columns = np.nonzero(overlap >= least)
    order = np.argsort(-overlap[rows, columns], kind="stable")
    taken_rows, taken_columns = np.zeros(len(a), bool), np.zeros(len(b), bool)
    pairs = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if not taken_rows[row] and not taken_columns[column]:
            taken_rows[row] = taken_columns[column] = True
            pairs.append((row, column))
    return np.array(pairs, np.int64).reshape(-1, 2)
