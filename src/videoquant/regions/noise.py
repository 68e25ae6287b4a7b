"""The noise of a stream, by brightness: how far cells move from frame to frame where nothing else does.

Noise moves all patches of one brightness by about as much; what moves in the scene moves some of them, and a
codec that copies blocks leaves some as they are. So the noise is what a fifth of the patches stay below, of
those that moved at all; it is believed at once where it is less than was thought, and slowly, and only where
patches agree, where it is more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 8  # of brightness, 32 levels each
FEWEST = 16  # patches of a bin that say something
PACE = 32  # frames over which noise that grows is averaged
UNKNOWN = -1.0
DEVIATION = 1.2533141373155003  # √(π/2): a normal deviate's standard deviation over its mean size


def updated(
    deviation: NDArray[np.float64],
    moved: NDArray[np.int64],
    bins: NDArray[np.int64],
    values: int,
    most: float,
) -> NDArray[np.float64]:
    """The standard deviation of a cell's sum from frame to frame, by brightness, after one more frame.

    deviation: float64 of `BINS`, as it was; `UNKNOWN` where nothing is known.
    moved: of each patch, Σ|s − s'| over its cells and channels, s' being of the frame before. bins: its
        brightness.
    values: how many a patch has. most: above this no deviation goes.
    """
    after = deviation.copy()
    for place in range(BINS):
        found = np.sort(moved[(bins == place) & (moved > 0)])
        if len(found) < FEWEST:
            continue
        low, middle = int(found[len(found) // 5]), int(found[len(found) // 2])
        now = min(low * DEVIATION / values, most)
        known = after[place] != UNKNOWN
        if known and now < after[place]:
            after[place] = now
        elif 2 * middle <= 3 * low:
            after[place] = after[place] + (now - after[place]) / PACE if known else now
    return after


def filled(deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same, where an unknown one is that of the next darker bin that is known, or else of a brighter."""
    known = np.flatnonzero(deviation != UNKNOWN)
    if not len(known):
        return np.zeros(BINS)
    nearest = known[np.maximum(np.searchsorted(known, np.arange(BINS), "right") - 1, 0)]
    return deviation[nearest]
