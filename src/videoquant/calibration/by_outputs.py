"""The word `by-outputs`: ranges are measured in the way that the network's outputs gain by.

The plain rule, least squares and the average over frames, serves most networks best. Two others gain decibels
on some and lose a little on others: channels that are equalized (`equalize.py`), and ranges that clip less
(`ByWidth`). Which it is cannot be read off one quantizer, so the outputs decide: each is calibrated on all
frames and judged by all of them, since what is rare may be on one frame alone. What they do not tell is how
ranges suit other frames: face_landmark gains 1.8 dB on those that these do not show. The plain rule stays
unless another is clearly closer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from videoquant.axes import FLOAT
from videoquant.calibration.equalize import is_depthwise
from videoquant.calibration.evidence import Evidence
from videoquant.calibration.output_error import channel_errors, exact_runs, gain
from videoquant.calibration.sampling import Run
from videoquant.network.graph import Network
from videoquant.ranges.estimators import ByWidth
from videoquant.ranges.estimators.base import MANY
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork

CANDIDATES = 3  # at most: plain, equalized, and the better of these with other ranges
FEWEST = 8  # frames: fewer say too little
GAIN = 0.5  # decibels, at least

Learnt = tuple[QuantizedNetwork, Evidence]


def closest(
    network: Network, scheme: Scheme, runs: Sequence[Run], learn: Callable[[Scheme], Learnt]
) -> Learnt:
    """What is taken; its scheme has the words that say so, none for the plain rule.

    runs: that calibrate; each is judged by its last frame.
    learn: calibrates a scheme on them.
    """
    best = learn(replace(scheme, by_outputs=False))
    changes = _changes(network, scheme)
    if len(runs) < FEWEST or not changes:
        return best
    exact = exact_runs(network, runs)
    errors = channel_errors(best[0], exact)
    for change in changes:
        tried = learn(replace(best[0].scheme, **change))
        found = channel_errors(tried[0], exact)
        if gain(found, errors) >= GAIN:
            best, errors = tried, found
    return best


def _changes(network: Network, scheme: Scheme) -> list[dict[str, Any]]:
    """What is tried, one on top of the other: what can change something."""
    equalizes = scheme.weights == "per-channel" and any(is_depthwise(n, network) for n in network.layers)
    wide = scheme.bits.activations in range(MANY, FLOAT)
    return [{"equalize": True}] * equalizes + [{"estimator": ByWidth()}] * wide
