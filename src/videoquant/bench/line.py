"""Time per frame against the share of work done: a straight line, where cost follows change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import theilslopes

LEAST_RANGE = 0.02  # of work shares; a line through less says nothing


@dataclass(frozen=True)
class Line:
    """ms = fixed_ms + ms_per_work · share.

    fixed_share: `fixed_ms` over the time of a dense frame, the median of mode "frame".
    scatter: how far half of the frames lie from the line at most, over that time too.
    """

    fixed_ms: float
    ms_per_work: float
    fixed_share: float
    scatter: float


def fit_line(work: Sequence[float], ms: Sequence[float], dense_ms: float) -> Line | None:
    """The line of Theil and Sen through frames, which a few interrupted ones do not bend.

    None where the work of frames hardly differs, so that there is none to draw.
    """
    x, y = np.array(work), np.array(ms)
    if np.ptp(x) < LEAST_RANGE:
        return None
    fit = theilslopes(y, x)
    slope, fixed = float(fit.slope), float(fit.intercept)
    scatter = float(np.median(np.abs(y - fixed - slope * x)))
    return Line(fixed, slope, fixed / dense_ms, scatter / dense_ms)
