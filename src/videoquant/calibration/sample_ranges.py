"""The ranges of one quantizer's calibration samples, before a fit makes one grid of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from videoquant.quantizers.residual_clip import Pairs, residual_clip
from videoquant.ranges.estimators.base import values
from videoquant.schemes import Scheme

Array = NDArray[np.float64]
TOGETHER = 1 << 22  # elements of all samples at most, where they are measured together


def sample_ranges(
    samples: Iterable[NDArray[np.float32]], scheme: Scheme, bits: int, symmetric: bool, count: int
) -> Array:
    """The range of each sample, or where the scheme measures them together the same for each: samples × 2.

    samples: read once, one after the other.
    bits, symmetric: of the grid.
    count: how many there are, at most.
    """
    estimator = scheme.range_estimator
    if scheme.pooling_of(bits) == "together":
        parts = [_some_of(sample, TOGETHER // count) for sample in samples]
        ranges = [estimator.measure(np.concatenate(parts), bits, symmetric)] * len(parts) if parts else []
    else:
        ranges = [estimator.measure(sample, bits, symmetric) for sample in samples]
    return np.array(ranges)


def voted_ranges(pairs: Pairs, bits: int, per_sample: bool) -> Array:
    """The ranges of residuals in which the frame has a vote (`residual_clip`): samples × 2.

    per_sample: each sample's own, and not one of all samples for each.
    """
    if per_sample:
        clips = [residual_clip(lambda pair=pair: [pair], bits) for pair in pairs()]  # type: ignore[misc]
    else:
        clips = [residual_clip(pairs, bits)] * sum(1 for _ in pairs())
    return np.array([(-clip, clip) for clip in clips])


def _some_of(x: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """About so many elements, evenly spaced in memory, both extremes among them."""
    flat = values(x)
    spaced = flat[:: max(1, len(flat) // max(1, count)) | 1]
    return np.concatenate([spaced, [flat.min(), flat.max()]]).astype(np.float32)
