"""Dynamic ranges: the grid of a value that a program has computed, measured by the scheme's estimator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from videoquant.errors import NetworkError
from videoquant.ranges.estimators import Estimator
from videoquant.ranges.grid import Grid
from videoquant.ranges.sources import source_from_json
from videoquant.runtime.program import MeasuredRange, RangeUpdate
from videoquant.runtime.session import Measure
from videoquant.runtime.sizes import channels_first


def measure_by(estimator: Estimator, updates: Sequence[RangeUpdate]) -> Measure:
    """What a session asks for the grids of a program's updates that are measured.

    estimator: the scheme's. Raises `NetworkError` for an update whose source is none.
    """
    sources = {
        number: source_from_json(
            update.source,
            estimator,
            update.bits,
            update.symmetric,
            f"the measured range of grid {update.grid}",
        )
        for number, update in enumerate(updates)
        if isinstance(update, MeasuredRange)
    }

    def measure(number: int, value: NDArray[np.float32]) -> tuple[float, int, int, int]:
        height, width, channels = value.shape
        grid = sources[number].grid(lambda: channels_first(value, (1, channels, height, width)), {})
        if grid is None:
            raise NetworkError("a measured range is none: its source leaves values in floating point")
        return unsigned(grid)

    return measure


def unsigned(grid: Grid) -> tuple[float, int, int, int]:
    """A grid as the engine has it, codes 0 to 255 (of signed grids plus 128): scale, zero, low, high."""
    shift = 128 if grid.low < 0 else 0
    return grid.scale, grid.zero_point + shift, grid.low + shift, grid.high + shift
