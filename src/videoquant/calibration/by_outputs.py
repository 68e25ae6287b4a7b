"""The word `by-outputs`: ranges are measured in the way that the network's outputs gain by.

The plain rule, least squares and the average over frames, serves most networks best. Two others gain decibels
on some and lose a little on others: channels that are equalized (`equalize.py`), and ranges that clip less
(`ByWidth`). Which it is cannot be read off one quantizer, so the outputs decide: half of the frames
calibrates each, others judge. The plain rule stays unless another is clearly closer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from videoquant.axes import FLOAT
from videoquant.calibration.equalize import is_depthwise
from videoquant.calibration.output_error import channel_errors, exact_runs, gain
from videoquant.calibration.sampling import Run, evenly
from videoquant.network.graph import Network
from videoquant.ranges.estimators import ByWidth
from videoquant.ranges.estimators.by_width import MANY
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork

CANDIDATES = 3  # at most: plain, equalized, and the better of these with other ranges
PART = 2  # every so many-th frame calibrates what is tried, others judge it
JUDGING = 8  # frames at most
FEWEST = 8  # frames: fewer say too little
GAIN = 0.5  # decibels, at least


def closest(
    network: Network,
    scheme: Scheme,
    runs: Sequence[Run],
    learn: Callable[[Scheme, Sequence[Run]], QuantizedNetwork],
) -> Scheme:
    """The scheme with the words of what is taken, none for the plain rule.

    runs: that calibrate; each is judged by its last frame.
    learn: calibrates a scheme on some of them.
    """
    changes = _changes(network, scheme)
    scheme = replace(scheme, by_outputs=False)
    if len(runs) < FEWEST or not changes:
        return scheme
    judging = exact_runs(network, evenly([run for i, run in enumerate(runs) if i % PART], JUDGING))
    best, errors = scheme, channel_errors(learn(scheme, runs[::PART]), judging)
    for change in changes:
        tried = replace(best, **change)
        found = channel_errors(learn(tried, runs[::PART]), judging)
        if gain(found, errors) >= GAIN:
            best, errors = tried, found
    return best


def _changes(network: Network, scheme: Scheme) -> list[dict[str, Any]]:
    """What is tried, one on top of the other: what can change something."""
    equalizes = scheme.weights == "per-channel" and any(is_depthwise(n, network) for n in network.layers)
    wide = scheme.bits.activations in range(MANY, FLOAT)
    return [{"equalize": True}] * equalizes + [{"estimator": ByWidth()}] * wide
