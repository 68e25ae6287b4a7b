"""Whether corrected biases are kept: where they bring the network's outputs clearly closer to floating point.

Each correction lessens the error of its own layer. Together they mostly lessen that of the outputs too, by
several decibels at 4 bits; but where the shifts of layers had happened to cancel they do not
(selfie_segmentation at 8 bits). So the outputs decide, on calibration frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from videoquant.calibration.calibration_pass import CalibrationPass
from videoquant.network.float_stream import FloatStream
from videoquant.network.graph import Network
from videoquant.simulate.quantized import QuantizedNetwork

RUNS = 8  # about so many runs are compared, spread over all clips
GAIN = 0.9  # of the error at most must remain: less is within what other frames would say

# Consecutive network inputs, and the floating-point outputs of the last of them.
Run = tuple[Sequence[Tensor], dict[str, Tensor]]


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
    with torch.no_grad():
        runs = [(clip, _exact(walk.network, clip)) for clip in chosen]
        return corrected if _error(corrected, runs) <= GAIN * _error(given, runs) else given


def _run_of(walk: CalibrationPass, clip: Sequence[Tensor]) -> Sequence[Tensor]:
    """The frames of a clip that tell: any of a frame scheme, a residual one of a residual scheme's biases.

    Of a network with states all that lead to such a frame, the last of a cycle.
    """
    if not walk.network.states:
        return clip[: 2 if walk.outputs.residual_biases else 1]
    period = walk.scheme.period
    return clip[: len(clip) // period * period] if len(clip) > period else clip


def _exact(network: Network, clip: Sequence[Tensor]) -> dict[str, Tensor]:
    """The floating-point outputs of the last frame of a clip."""
    if not network.states:
        return network.run(clip[-1])
    stream = FloatStream(network)
    return [stream.feed(x) for x in clip][-1]


def _error(quantized: QuantizedNetwork, runs: Sequence[Run]) -> float:
    """The squared error of all outputs, each as a share of its own square, summed over runs."""
    stream, total = quantized.stream(), 0.0
    for clip, exact in runs:
        stream.reset()
        found = [stream.feed(x) for x in clip][-1]
        for name, reference in exact.items():
            noise = float((found[name] - reference).double().square().sum())
            total += noise / max(float(reference.double().square().sum()), 1e-30)
    return total
