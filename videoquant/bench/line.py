"""Time per frame against the share of work done: a straight line, where cost follows change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_RANGE = 0.02  # of work shares; a line through less says nothing


@dataclass(frozen=True)
class Line:
    """ms = fixed_ms + ms_per_work · share, by least squares.

    fixed_share: `fixed_ms` over the time of a dense frame, the median of mode "frame". r2: the share of the
    variance of the times that the line explains.
    """

    fixed_ms: float
    ms_per_work: float
    fixed_share: float
    r2: float


def fit_line(work: Sequence[float], ms: Sequence[float], dense_ms: float) -> Line | None:
    """The line through frames; None where their work hardly differs, so that there is none to draw."""
    x, y = np.array(work), np.array(ms)
    if np.ptp(x) < LEAST_RANGE:
        return None
    slope, fixed = (float(c) for c in np.polyfit(x, y, 1))
    left, whole = float(((y - fixed - slope * x) ** 2).sum()), float(((y - y.mean()) ** 2).sum())
    return Line(fixed, slope, fixed / dense_ms, 1 - left / whole if whole else 1.0)
