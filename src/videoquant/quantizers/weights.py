"""Weights become codes: symmetric per output channel or per tensor, or asymmetric per tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from videoquant.axes import Granularity
from videoquant.network.graph import Node
from videoquant.quantizers.straight_through import straight_through
from videoquant.ranges.estimators import Estimator
from videoquant.ranges.grid import SMALLEST_SCALE, span

COARSE = 16  # candidate clips of the search per channel, evenly spaced from 1/16 of the extreme to all of it
FINE = 9  # candidates around the best of them


@dataclass(frozen=True, eq=False)
class WeightCodes:
    """Quantized weights: ŵ = (codes − zero_point) · scale.

    codes: uint8 or int8, the shape of the weights.
    scale: float32, one, or one per output channel.
    zero_point: int, 0 for the symmetric grids.
    axis: the output channels' dimension.
    bits: 2 to 8.
    groups: of a transposed convolution (`outputs_first`); 1 for every other layer.
    """

    codes: Tensor
    scale: Tensor
    zero_point: int
    axis: int
    bits: int
    groups: int = 1

    @cached_property
    def values(self) -> Tensor:
        """The weights the codes stand for, float32."""
        return (self.codes.float() - self.zero_point) * self.along(self.scale)

    @cached_property
    def steps(self) -> Tensor:
        """codes − zero_point: whole numbers in float32."""
        return self.codes.float() - self.zero_point

    @cached_property
    def steps_channels_last(self) -> Tensor:
        """`steps` as convolutions of maps that lie channels last want them; else each frame copies them."""
        return self.steps.contiguous(memory_format=torch.channels_last)

    @cached_property
    def extent(self) -> float:
        """How far the steps of one sign add up in an output channel, at most.

        Of a transposed convolution with groups: in a channel of all groups together, which is no less.
        """
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
        low, high = span(self.bits, symmetric=self.codes.dtype == torch.int8)
        if self.scale.numel() == 1:
            return straight_through(weight, self.scale, self.zero_point, low, high)
        rows = outputs_first(weight, self.axis, self.groups)
        rows = straight_through(rows, self.scale, self.zero_point, low, high, axis=0)
        return outputs_first(rows, self.axis, self.groups)

    def with_scale(self, scale: Tensor) -> WeightCodes:
        """The same grid with another scale, for `fake_quantize` and `requantized`; the codes stay behind."""
        return replace(self, scale=scale)

    def requantized(self, weight: Tensor) -> WeightCodes:
        """Other weights on the same grid: what `fake_quantize` gives, as codes."""
        low, high = span(self.bits, symmetric=self.codes.dtype == torch.int8)
        scale = self.scale.detach()
        steps = (weight.detach() * self.along(scale.reciprocal())).round()
        codes = (steps + self.zero_point).clamp(low, high).to(self.codes.dtype)
        return replace(self, codes=codes.contiguous(), scale=scale)

    def along(self, scale: Tensor) -> Tensor:
        """Scales in a shape that broadcasts over the codes."""
        kernel = [1] * (self.codes.dim() - 2)
        if scale.numel() == 1 or self.axis == 0:
            return scale.view(-1, 1, *kernel)
        inputs = self.codes.shape[0] // self.groups
        return (
            scale.view(self.groups, 1, -1).expand(-1, inputs, -1).reshape(self.groups * inputs, -1, *kernel)
        )


def quantize_weights(
    weight: Tensor, node: Node, bits: int, granularity: Granularity, estimator: Estimator
) -> WeightCodes:
    """The codes of a layer's weights.

    estimator: one that clips weights (`MSE`) searches the clip of each channel, or of the tensor, that has
        the least squared error: a few large weights are clipped where that serves the others. Every other
        takes the extremes, since weights have no tails that a calibration set would miss.
    granularity: asymmetric is min–max by definition (QPP A.3).
    """
    axis, groups = output_axis(node), weight_groups(node)
    weight = weight.detach()
    if granularity == "asymmetric":
        low, high = (float(v) for v in torch.aminmax(weight))
        low, high = min(low, 0.0), max(high, 0.0)
        first, last = span(bits, symmetric=False)
        scale = torch.tensor([max((high - low) / last, SMALLEST_SCALE)], dtype=torch.float32, device="cpu")
        zero_point = min(last, max(first, round(-low / float(scale))))
        codes = (weight * scale.reciprocal()).round().add(zero_point).clamp(first, last)
        return WeightCodes(codes.to(torch.uint8), scale, zero_point, axis, bits, groups)

    per_channel = granularity == "per-channel"
    channels = outputs_first(weight, axis, groups) if per_channel else weight
    rows = channels.flatten(1) if per_channel else weight.reshape(1, -1)
    last = span(bits, symmetric=True)[1]
    extreme = rows.abs().amax(1)
    clip = _best_clips(rows, extreme, last) if estimator.clips_weights else extreme
    scale = (clip / last).clamp_min(SMALLEST_SCALE)
    steps = (rows * scale.reciprocal().unsqueeze(1)).round().clamp(-last, last).to(torch.int8)
    codes = steps.view(channels.shape)
    codes = outputs_first(codes, axis, groups) if per_channel else codes
    return WeightCodes(codes.contiguous(), scale, 0, axis, bits, groups)


def output_axis(node: Node) -> int:
    """The dimension of a layer's weights that counts its output channels: all, or those of a group."""
    return 1 if node.op == "conv_transpose2d" else 0


def weight_groups(node: Node) -> int:
    """In how many blocks along their first dimension a layer's weights lie: `WeightCodes.groups`."""
    return int(node.attributes.get("groups", 1)) if output_axis(node) else 1


def outputs_first(weight: Tensor, axis: int, groups: int) -> Tensor:
    """Weights as C_out × C_in/groups × kernel, or from there back to the layout of their layer.

    A transposed convolution keeps C_in × C_out/groups × kernel, group after group along C_in: the output
    channels of each group are the second dimension of its block. The way there and the way back are the same.
    axis, groups: as of `WeightCodes`.
    """
    if axis == 0:
        return weight
    return weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)


def _best_clips(rows: Tensor, extreme: Tensor, last: int) -> Tensor:
    """Per row, the clip of least squared error: the best of `COARSE` shares, then of `FINE` around it.

    On random rows of 64 weights and more that is within a few percent of the best at up to 5 bits, and within
    a third at 8, where an error that short rows make of many minima has its least between the candidates.
    No finer: more candidates, scales above the extreme's and the codes' own best scale (Σwq/Σq²) find the
    least error of the weights, but the outputs' error is another. On frames of a phone call, the shipped
    network with weights alone at 8, 6 and 4 bits came to 36.0, 23.3 and 10.5 dB with them, to 35.8, 25.6 and
    16.5 dB with this.
    """
    best, least = torch.ones_like(extreme), torch.full_like(extreme, torch.inf)
    step = 1 / COARSE
    offsets = [
        torch.arange(COARSE, dtype=torch.float32, device="cpu") * -step,
        torch.linspace(-step, step, FINE, dtype=torch.float32, device="cpu"),
    ]
    for candidates in offsets:
        centre = best
        for offset in candidates:
            share = (centre + offset).clamp(step / 2, 1)
            scale = (extreme * share / last).clamp_min(SMALLEST_SCALE).unsqueeze(1)
            error = (rows / scale).round_().clamp_(-last, last).mul_(scale).sub_(rows).square_().sum(1)
            better = error < least
            best, least = torch.where(better, share, best), torch.where(better, error, least)
    return extreme * best
