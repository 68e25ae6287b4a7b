"""Bit operations (BOPs): the multiply–accumulates of a layer times the bit-widths of both factors.

layer            MACs · b_w · b_a, a floating-point factor counts 32 bits
Dense + Sparse   MACs · (b_w · b_a + density · 16 · 16)
adaptive layer   MACs · b_w · mean of b_a over locations; a location at 0 bits counts 0
residual scheme  (key + (T − 1) · residual) / T per frame
regions          of every layer the share that the frame's region took
"""

from __future__ import annotations

from collections.abc import Mapping

from videoquant.axes import FLOAT, DenseSparse
from videoquant.network.graph import Network
from videoquant.quantizers.placement import layer_bits, points
from videoquant.schemes import Scheme

SPARSE_BITS = 16  # of the sparse part's values and of the weights they meet


def frame_bops(
    network: Network,
    scheme: Scheme,
    is_key: bool,
    shares: Mapping[str, Mapping[int, float]] | None = None,
    densities: Mapping[str, float] | None = None,
    computed: Mapping[str, float] | None = None,
) -> float:
    """The BOPs of one frame.

    is_key: a keyframe, or any frame of a scheme without a time axis.
    shares, densities: the `bits` and `density` of its `FrameReport`; a point that is not in them counts its
        nominal ones.
    computed: likewise of its report; a layer that is not in it counts as a whole.
    """
    bits = layer_bits(network, scheme)
    at = points(network, bits)
    requested = scheme.representation.density if isinstance(scheme.representation, DenseSparse) else 0.0
    total = 0.0
    for name, macs in network.macs.items():
        widths = bits[name].key if is_key else bits[name].residual or bits[name].key
        activations = float(widths.activations)
        density = requested if name in at and widths.activations != FLOAT else 0.0
        point = str(at.get(name))
        if shares and point in shares:
            activations = sum(width * share for width, share in shares[point].items())
        if densities:
            density = densities.get(point, density)
        share = computed.get(name, 1.0) if computed else 1.0
        total += share * macs * (widths.weights * activations + density * SPARSE_BITS**2)
    return total


def amortised_bops(key: float, residual: float, period: int) -> float:
    """BOPs per frame of a cycle of one keyframe and period − 1 residual frames."""
    return (key + (period - 1) * residual) / period
