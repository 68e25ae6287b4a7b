"""Confusion matrices: how often each class (row) was taken for each (column), and the IoU that follows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def confusion(
    rows: NDArray[np.integer[Any]], columns: NDArray[np.integer[Any]], shape: tuple[int, int]
) -> NDArray[np.int64]:
    """Counts of the pairs of two arrays of one shape, below the matrix's shape; int64."""
    pairs = rows.astype(np.int64) * shape[1] + columns
    return np.bincount(pairs.ravel(), minlength=shape[0] * shape[1]).reshape(shape)


def class_ious(counts: NDArray[np.int64]) -> list[float | None]:
    """Of every class, diagonal/(row + column − diagonal); None for one that is in neither.

    counts: classes×classes, or with more columns, for what is no class.
    """
    both = np.diagonal(counts)
    either = counts.sum(1) + counts[:, : len(counts)].sum(0) - both
    return [int(b) / int(e) if e else None for b, e in zip(both, either, strict=True)]
