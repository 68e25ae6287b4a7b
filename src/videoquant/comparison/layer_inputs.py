"""What a scheme does to the input of each layer: its range, what is clipped, which residuals are 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from videoquant.ranges.grid import Grid

# What a quantizer saw on one frame: whether residuals; the share of them that is 0, or of values that are
# clipped; the ends of its grid.
InputSeen = tuple[bool, float, float, float]


@dataclass(frozen=True)
class LayerInput:
    """What one quantizer saw on the frames that are measured by layer, summed up.

    low, high: the widest range of its keyframe grid; 0 where it has none.
    clipped: on keyframes, the mean share of values beyond the grid.
    zero: on residual frames, the mean share of residuals whose code is 0: nothing is computed with them.
        None where no residual was seen.
    """

    low: float = 0.0
    high: float = 0.0
    clipped: float = 0.0
    zero: float | None = None

    @classmethod
    def of(cls, seen: Sequence[InputSeen]) -> LayerInput:
        keys = [(share, low, high) for residual, share, low, high in seen if not residual]
        zeros = [share for residual, share, *_ in seen if residual]
        zero = fmean(zeros) if zeros else None
        if not keys:
            return cls(zero=zero)
        shares, lows, highs = zip(*keys, strict=True)
        return cls(min(0.0, *lows), max(0.0, *highs), fmean(shares), zero)

    def to_json(self) -> dict[str, float | None]:
        return {"low": self.low, "high": self.high, "clipped": self.clipped, "zero": self.zero}


def input_seen(x: Tensor, grid: Grid, residual: bool) -> InputSeen:
    """What a quantizer does to a value on its grid."""
    if residual:
        share = float((x.abs() <= grid.scale / 2).float().mean())
    else:
        first, last = grid.cells
        share = float(torch.logical_or(x < first, x > last).float().mean())
    return residual, share, *grid.range
