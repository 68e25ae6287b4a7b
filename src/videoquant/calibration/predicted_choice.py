"""Which positions predict: those whose predictions do not take the outputs away from floating point.

A predicted range mostly lessens the error of its own quantizer. Of the outputs it need not: at 4 bits a few
quantizers decide, and what a range that changes from frame to frame does to them no error of a single
quantizer says (nor a measured one's: dynamic ranges can be worse than static ones). So the outputs decide, on
calibration frames, position by position in network order, and in the end between that and static ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from videoquant.network.float_stream import FloatStream
from videoquant.network.graph import Network
from videoquant.ranges.sources import RangeSource
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import primary_output

FRAMES = 16  # about so many are compared, in whole runs spread over all of them
# Of the error at most must remain where static ranges take over: less is within what other frames would say.
GAIN = 0.97

# Consecutive network inputs, and the first output of each in floating point.
Run = tuple[Sequence[Tensor], list[Tensor]]


def better_predicted(
    quantized: QuantizedNetwork,
    network: Network,
    static: Mapping[RangeSource, RangeSource],
    clips: Sequence[Sequence[Tensor]],
) -> QuantizedNetwork:
    """The network with static ranges at those positions that are better without predicting.

    network: in floating point, with the biases that it was given.
    static: what stands in for each source that predicts.
    clips: what it was calibrated on.
    """
    positions = list(quantized.watched)
    if not positions:
        return quantized
    chosen = clips[:: max(1, sum(map(len, clips)) // FRAMES)]
    with torch.no_grad():
        runs = [(clip, _exact(network, clip)) for clip in chosen]
        best, error = quantized, _error(quantized, runs)
        for position in positions:
            without = _without(best, static, (position,))
            if (now := _error(without, runs)) < GAIN * error:
                best, error = without, now
        everywhere = _without(quantized, static, positions)
        return everywhere if _error(everywhere, runs) < GAIN * error else best


def _without(
    quantized: QuantizedNetwork, static: Mapping[RangeSource, RangeSource], positions: Sequence[str]
) -> QuantizedNetwork:
    """The network with static ranges for all that these positions predict."""

    def of(source: RangeSource) -> RangeSource:
        predictor = source.predictor
        return static[source] if predictor is not None and predictor.position in positions else source

    grids = {
        point: replace(pair, key=of(pair.key), residual=None if pair.residual is None else of(pair.residual))
        for point, pair in quantized.grids.items()
    }
    return QuantizedNetwork(quantized.network, quantized.scheme, quantized.weights, grids)


def _exact(network: Network, clip: Sequence[Tensor]) -> list[Tensor]:
    stream, output = FloatStream(network), primary_output(network)
    return [stream.feed(x)[output] for x in clip]


def _error(quantized: QuantizedNetwork, runs: Sequence[Run]) -> float:
    """The squared error of the first output over all frames, as a share of its own square."""
    stream, output, noise, size = quantized.stream(), primary_output(quantized.network), 0.0, 1e-30
    for clip, exact in runs:
        stream.reset()
        for x, reference in zip(clip, exact, strict=True):
            noise += float((stream.feed(x)[output] - reference).double().square().sum())
            size += float(reference.double().square().sum())
    return noise / size
