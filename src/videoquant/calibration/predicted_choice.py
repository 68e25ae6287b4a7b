"""Which positions predict: all of them, unless the network's outputs are then worse than with static ranges.

A predicted range mostly lessens the error of its own quantizer. Of the outputs it need not: at 4 bits a few
quantizers decide, and what a range that changes from frame to frame does to them no error of a single
quantizer says (nor a measured one's: dynamic ranges can be worse than static ones). So the outputs are
compared with floating point on calibration frames. Where static ranges everywhere bring them closer,
positions become static one after the other, those first that gain most by it, until that is no longer so. No
further: what else gains on these frames is mostly chance, and was measured to lose on others.
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


def better_predicted(
    quantized: QuantizedNetwork,
    network: Network,
    static: Mapping[RangeSource, RangeSource],
    clips: Sequence[Sequence[Tensor]],
) -> QuantizedNetwork:
    """The network with static ranges at as few positions as it takes not to be worse than with them alone.

    network: in floating point, with the biases that it was given.
    static: what stands in for each source that predicts.
    clips: what it was calibrated on.
    """
    positions = list(quantized.watched)
    if not positions:
        return quantized
    runs = exact_streams(network, clips, FRAMES)
    everywhere = _without(quantized, static, positions)
    best, error, most = quantized, stream_error(quantized, runs), stream_error(everywhere, runs)
    if error <= most:
        return quantized
    alone = {p: stream_error(_without(quantized, static, (p,)), runs) for p in positions}
    given_up: list[str] = []
    for position in sorted(positions, key=alone.__getitem__):
        without = _without(quantized, static, (*given_up, position))
        if (now := stream_error(without, runs)) < error:
            best, error = without, now
            given_up.append(position)
        if error <= most:
            return best
    return everywhere


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
