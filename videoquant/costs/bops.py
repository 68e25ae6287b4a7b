"""Bit operations (BOPs): the multiply–accumulates of a layer times the bit-widths of both factors.

layer            MACs · b_w · b_a, a floating-point factor counts 32 bits
adaptive layer   MACs · b_w · mean of b_a over locations; a location at 0 bits counts 0
residual scheme  (key + (T − 1) · residual) / T per frame
"""

from __future__ import annotations

from collections.abc import Mapping

from videoquant.network.graph import Network
from videoquant.quantizers.placement import Point, layer_bits, points
from videoquant.schemes import Scheme


def frame_bops(
    network: Network, scheme: Scheme, is_key: bool, shares: Mapping[Point, Mapping[int, float]] | None = None
) -> float:
    """The BOPs of one frame.

    is_key: a keyframe, or any frame of a scheme without a time axis. shares: the stream's, by point; a point
    that is not in it counts its nominal bits.
    """
    bits = layer_bits(network, scheme)
    at = points(network, bits)
    total = 0.0
    for name, macs in network.macs.items():
        widths = bits[name].key if is_key else bits[name].residual or bits[name].key
        activations = float(widths.activations)
        if shares and name in at and at[name] in shares:
            activations = sum(width * share for width, share in shares[at[name]].items())
        total += macs * widths.weights * activations
    return total


def amortised_bops(key: float, residual: float, period: int) -> float:
    """BOPs per frame of a cycle of one keyframe and period − 1 residual frames."""
    return (key + (period - 1) * residual) / period
