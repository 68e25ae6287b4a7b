"""Whether corrected biases are kept: where they bring the network's outputs clearly closer to floating point.

Each correction lessens the error of its own layer. Together they mostly lessen that of the outputs too, by
several decibels at 4 bits; but where the shifts of layers had happened to cancel they do not
(selfie_segmentation at 8 bits). So the outputs decide, on calibration frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from videoquant.calibration.bias import with_biases
from videoquant.calibration.calibration_pass import CalibrationPass
from videoquant.network.graph import Network
from videoquant.simulate.quantized import QuantizedNetwork

FRAMES = 8  # about so many keyframes are run, spread over all clips; a bias is theirs alone
GAIN = 0.9  # of the error at most must remain: less is within what other frames would say


def better_biased(network: Network, walk: CalibrationPass, clips: Sequence[Sequence[Tensor]]) -> Network:
    """The network with the biases that a pass corrected, or as it was given where that comes closer."""
    if not walk.biases:
        return network
    chosen = [clip[0] for clip in clips[:: max(1, len(clips) // FRAMES)]]
    corrected = with_biases(network, walk.biases)
    with torch.no_grad():
        pairs = [(x, network.run(x)) for x in chosen]
        error, given = (_error(biased, walk, pairs) for biased in (corrected, network))
    return corrected if error <= GAIN * given else network


def _error(
    biased: Network, walk: CalibrationPass, pairs: Sequence[tuple[Tensor, dict[str, Tensor]]]
) -> float:
    """The squared error of all outputs, each as a share of its own square, summed over frames.

    pairs: of keyframes and the network's floating-point outputs.
    """
    stream = QuantizedNetwork(biased, walk.scheme, dict(walk.weights), walk.grids).stream()
    total = 0.0
    for x, exact in pairs:
        stream.reset()
        found = stream.feed(x)
        for name, reference in exact.items():
            noise = float((found[name] - reference).double().square().sum())
            total += noise / max(float(reference.double().square().sum()), 1e-30)
    return total
