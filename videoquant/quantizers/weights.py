"""Weights become codes: symmetric per output channel or per tensor, or asymmetric per tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from videoquant.network.graph import Node
from videoquant.quantizers.grid import SMALLEST_SCALE
from videoquant.quantizers.ranges import MSE, Estimator
from videoquant.quantizers.straight_through import fake_quantize

Granularity = Literal["per-channel", "per-tensor", "asymmetric"]
COARSE = 16  # candidate clips of the search per channel, evenly spaced from 1/16 of the extreme to all of it
FINE = 9  # candidates around the best of them


@dataclass(frozen=True, eq=False)
class WeightCodes:
    """Quantized weights: ŵ = (codes − zero_point) · scale.

    codes: uint8 or int8, the shape of the weights. scale: float32, one, or one per channel (`axis`).
    zero_point: int, 0 for the symmetric grids. axis: the output channels' dimension. bits: 2 to 8.
    """

    codes: Tensor
    scale: Tensor
    zero_point: int
    axis: int
    bits: int

    @cached_property
    def values(self) -> Tensor:
        """The weights the codes stand for, float32."""
        return (self.codes.float() - self.zero_point) * self._along(self.scale)

    @cached_property
    def steps(self) -> Tensor:
        """codes − zero_point: whole numbers in float32."""
        return self.codes.float() - self.zero_point

    @cached_property
    def extent(self) -> float:
        """How far the steps of one sign add up in an output channel, at most."""
        return float(self._input_sums().sum(2).max())

    def part_extents(self, parts: Sequence[Tensor]) -> list[float]:
        """The extents of some of the input channels alone; parts: their indices in the other dimension."""
        sums = self._input_sums()
        return [float(sums.index_select(2, part).sum(2).max()) for part in parts]

    def _input_sums(self) -> Tensor:
        """Sums of the steps over a kernel, 2 × outputs × inputs: of the positive, and minus the negative."""
        outputs_first = self.steps.movedim(self.axis, 0)
        kernels = outputs_first.reshape(*outputs_first.shape[:2], -1)
        return torch.stack([kernels.clamp_min(0).sum(2), -kernels.clamp_max(0).sum(2)])

    def fake_quantize(self, weight: Tensor) -> Tensor:
        """Other weights on the same grid, with gradients to them and to the scale: for training."""
        low, high = _span(self.bits, symmetric=self.codes.dtype == torch.int8)
        axis = self.axis if self.scale.numel() > 1 else None
        return fake_quantize(weight, self.scale, self.zero_point, low, high, axis)

    def with_scale(self, scale: Tensor) -> WeightCodes:
        """The same grid with another scale, for `fake_quantize` and `requantized`; the codes stay behind."""
        return replace(self, scale=scale)

    def requantized(self, weight: Tensor) -> WeightCodes:
        """Other weights on the same grid: what `fake_quantize` gives, as codes."""
        low, high = _span(self.bits, symmetric=self.codes.dtype == torch.int8)
        scale = self.scale.detach()
        steps = (weight.detach() * self._along(scale.reciprocal())).round()
        codes = (steps + self.zero_point).clamp(low, high).to(self.codes.dtype)
        return replace(self, codes=codes.contiguous(), scale=scale)

    def _along(self, scale: Tensor) -> Tensor:
        shape = [1] * self.codes.dim()
        shape[self.axis] = -1
        return scale.view(shape)


def quantize_weights(
    weight: Tensor, node: Node, bits: int, granularity: Granularity, estimator: Estimator
) -> WeightCodes:
    """The codes of a layer's weights.

    estimator: `MSE` searches each channel's (or the tensor's) clip; every other takes the extremes, since
    weights have no tails that a calibration set would miss. Asymmetric is min–max by definition (QPP A.3).
    """
    axis = output_axis(node)
    weight = weight.detach()
    if granularity == "asymmetric":
        low, high = (float(v) for v in torch.aminmax(weight))
        low, high = min(low, 0.0), max(high, 0.0)
        first, last = _span(bits, symmetric=False)
        scale = torch.tensor([max((high - low) / last, SMALLEST_SCALE)], dtype=torch.float32)
        zero_point = min(last, max(first, round(-low / float(scale))))
        codes = (weight * scale.reciprocal()).round().add(zero_point).clamp(first, last)
        return WeightCodes(codes.to(torch.uint8), scale, zero_point, axis, bits)

    rows = weight.movedim(axis, 0).flatten(1) if granularity == "per-channel" else weight.reshape(1, -1)
    last = _span(bits, symmetric=True)[1]
    extreme = rows.abs().amax(1)
    clip = _best_clips(rows, extreme, last) if isinstance(estimator, MSE) else extreme
    scale = (clip / last).clamp_min(SMALLEST_SCALE)
    steps = (rows * scale.reciprocal().unsqueeze(1)).round().clamp(-last, last).to(torch.int8)
    if granularity == "per-channel":
        codes = steps.view(weight.movedim(axis, 0).shape).movedim(0, axis)
    else:
        codes = steps.view(weight.shape)
    return WeightCodes(codes.contiguous(), scale, 0, axis, bits)


def output_axis(node: Node) -> int:
    """The dimension of a layer's weights that counts its output channels.

    A transposed convolution with groups keeps its output channels in two dimensions; its scales stand along
    the one within a group, which each group shares.
    """
    return 1 if node.op == "conv_transpose2d" else 0


def _span(bits: int, symmetric: bool) -> tuple[int, int]:
    return (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if symmetric else (0, 2**bits - 1)


def _best_clips(rows: Tensor, extreme: Tensor, last: int) -> Tensor:
    """Per row, the clip of least squared error: the best of `COARSE` shares, then of `FINE` around it."""
    best, least = torch.ones_like(extreme), torch.full_like(extreme, torch.inf)
    step = 1 / COARSE
    offsets = [torch.arange(COARSE) * -step, torch.linspace(-step, step, FINE)]
    for candidates in offsets:
        centre = best
        for offset in candidates:
            share = (centre + offset).clamp(step / 2, 1)
            scale = (extreme * share / last).clamp_min(SMALLEST_SCALE).unsqueeze(1)
            error = (rows / scale).round_().clamp_(-last, last).mul_(scale).sub_(rows).square_().sum(1)
            better = error < least
            best, least = torch.where(better, share, best), torch.where(better, error, least)
    return extreme * best
