"""Whether corrected biases are kept: where they bring the network's outputs clearly closer to floating point.

Each correction lessens the error of its own layer. Together they mostly lessen that of the outputs too, by
several decibels at 4 bits; but where the shifts of layers had happened to cancel they do not
(selfie_segmentation at 8 bits). So the outputs decide, on calibration frames: as wholes, or in the mean over
channels, since a detector's scores stand beside the sides of its boxes, which are a thousand times as large.
Not by channels alone: that a probability which is near 1 has twice an error of next to nothing says little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from videoquant.calibration.calibration_pass import CalibrationPass
from videoquant.calibration.output_error import channel_errors, error_shares, exact_runs, gain
from videoquant.simulate.quantized import QuantizedNetwork

RUNS = 8  # about so many runs are compared, spread over all clips
SHARE = 0.9  # of the error at most must remain
GAIN = 0.5  # or so many decibels be gained, by channels: less is within what other frames would say


def better_biased(walk: CalibrationPass, clips: Sequence[Sequence[Tensor]]) -> QuantizedNetwork:
    """What a pass learnt, with the biases that it corrected or as they were, whichever comes closer."""
    weights = dict(walk.weights)
    given = QuantizedNetwork(walk.network, walk.scheme, weights, walk.grids)
    if not (walk.outputs.biases or walk.outputs.residual_biases):
        return given
    biased = {
        name: replace(weights[name], residual_bias=bias)
        for name, bias in walk.outputs.residual_biases.items()
    }
    network = walk.network
    if walk.outputs.biases:
        own = {f"{name}.bias": bias for name, bias in walk.outputs.biases.items()}
        network = network.with_tensors(network.tensors | own)
    corrected = QuantizedNetwork(network, walk.scheme, weights | biased, walk.grids)
    chosen = [_run_of(walk, clip) for clip in clips[:: max(1, len(clips) // RUNS)]]
    runs = exact_runs(walk.network, chosen)
    closer = error_shares(corrected, runs) <= SHARE * error_shares(given, runs)
    if not closer:
        closer = gain(channel_errors(corrected, runs), channel_errors(given, runs)) >= GAIN
    return corrected if closer else given


def _run_of(walk: CalibrationPass, clip: Sequence[Tensor]) -> Sequence[Tensor]:
    """The frames of a clip that tell: any of a frame scheme, a residual one of a residual scheme's biases.

    Of a network with states all that lead to such a frame, the last of a cycle.
    """
    if not walk.network.states:
        return clip[: 2 if walk.outputs.residual_biases else 1]
    period = walk.scheme.period
    return clip[: len(clip) // period * period] if len(clip) > period else clip
