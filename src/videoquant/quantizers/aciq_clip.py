"""The analytic clip of ACIQ (Banner et al., NeurIPS 2019) for a Laplace or a Gaussian tensor.

    Laplace   c = b · argmin 2e^(−c) + c²/(3·4^k),            b = E|x − μ|
    Gauss     c = σ · argmin of the same two errors,          σ² = E(x − μ)²

The prior is the one whose ratio b/σ is closer to the tensor's: 1/√2 for Laplace, √(2/π) for Gauss. A
non-negative tensor (after a ReLU) is taken as the positive half of a distribution around zero, so that its k
bits are those of k + 1 on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch

from videoquant.ranges.estimators.base import Array, around_zero, extremes
from videoquant.ranges.grid import Range
from videoquant.torch_settings import plain_math


@plain_math()  # an engine's stream calls it under whatever its user has set
def measure(array: Array, bits: int, symmetric: bool) -> Range:
    """The range of one sample; see `Estimator.measure`."""
    x = torch.from_numpy(array)
    low, high = extremes(array)
    one_sided = low >= 0 and not symmetric
    values = x[x > 0] if one_sided else x
    if values.numel() == 0 or low == high:
        return around_zero(low, high, symmetric)
    mean = 0.0 if one_sided or symmetric else float(values.mean())
    deviation = float((values - mean).abs().mean())
    sigma = float((values - mean).square().mean().sqrt())
    width = bits + 1 if one_sided else bits
    if deviation < (math.sqrt(0.5) + math.sqrt(2 / math.pi)) / 2 * sigma:
        clip = laplace_clip(width) * deviation
    else:
        clip = gaussian_clip(width) * sigma
    return around_zero(max(low, mean - clip), min(high, mean + clip), symmetric)


@cache
def laplace_clip(bits: int) -> float:
    """The c that minimises 2e^(−c) + c²/(3·4^k), in units of the Laplace scale: 2.83 at 2 bits, 5.03 at 4."""
    return _root(lambda c: c / (3 * 4.0**bits) - math.exp(-c))


@cache
def gaussian_clip(bits: int) -> float:
    """The c that minimises the clipping and rounding error of a unit Gaussian: 1.71 at 2 bits, 2.55 at 4."""

    def slope(c: float) -> float:
        tail = c * math.erfc(c / math.sqrt(2)) - math.sqrt(2 / math.pi) * math.exp(-c * c / 2)
        return tail + c / (3 * 4.0**bits)

    return _root(slope)


def _root(slope: Callable[[float], float]) -> float:
    """Where an increasing function of the clip crosses zero, between 0 and 40."""
    low, high = 1e-6, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return (low + high) / 2
