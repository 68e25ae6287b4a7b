"""The noise of a stream, by brightness: how far a cell moves from frame to frame where nothing else does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 8  # of brightness, 32 levels each
PACE = 16  # frames over which an estimate is averaged
FEWEST = 64  # cells that say something of a bin


def bins(sums: NDArray[np.integer], full: int) -> NDArray[np.int64]:
    """The bin of each cell by its brightness, the mean over its channels.

    sums: h×w×C of cells. full: the sum of a cell's channel where every pixel is 256.
    """
    bright: NDArray[np.int64] = sums.sum(2, dtype=np.int64) * BINS // (full * sums.shape[2])
    return bright


def updated(
    variance: NDArray[np.float64], squares: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The variance of each bin after a frame with so many squared differences, and their sum.

    variance: below 0 where nothing is known yet. A bin with fewer than `FEWEST` keeps what it has.
    """
    found = squares / np.maximum(counts, 1)
    moved = np.where(variance < 0, found, variance + (found - variance) / PACE)
    return np.where(counts >= FEWEST, moved, variance)
