"""Which positions predict: those whose predictions do not take the outputs away from floating point.

A predicted range mostly lessens the error of its own quantizer. Of the outputs it need not: at 4 bits a few
quantizers decide, and what a range that changes from frame to frame does to them no error of a single
quantizer says (nor a measured one's: dynamic ranges can be worse than static ones). So the outputs decide, on
calibration frames, position by position in network order, and in the end between that and static ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from videoquant.calibration.output_error import exact_streams, stream_error
from videoquant.network.graph import Network
from videoquant.ranges.sources import RangeSource
from videoquant.simulate.quantized import QuantizedNetwork

FRAMES = 16  # about so many are compared, in whole runs spread over all of them
# Of the error at most must remain where static ranges take over: less is within what other frames would say.
GAIN = 0.97


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
    runs = exact_streams(network, clips, FRAMES)
    best, error = quantized, stream_error(quantized, runs)
    for position in positions:
        without = _without(best, static, (position,))
        if (now := stream_error(without, runs)) < GAIN * error:
            best, error = without, now
    everywhere = _without(quantized, static, positions)
    return everywhere if stream_error(everywhere, runs) < GAIN * error else best


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
