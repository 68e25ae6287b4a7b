"""What a scheme does to the input of each layer: its range, what is clipped, which residuals are 0."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from videoquant.ranges.grid import Grid


@dataclass
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
    _keys: int = 0
    _residuals: int = 0

    def to_json(self) -> dict[str, float | None]:
        return {"low": self.low, "high": self.high, "clipped": self.clipped, "zero": self.zero}

    def see(self, x: Tensor, grid: Grid | None, residual: bool) -> None:
        """Take in what a quantizer got on one frame, and its grid."""
        if grid is None:
            return
        if residual:
            share = float((x.abs() <= grid.scale / 2).float().mean())
            self.zero = ((self.zero or 0.0) * self._residuals + share) / (self._residuals + 1)
            self._residuals += 1
            return
        first, last = grid.cells
        share = float(torch.logical_or(x < first, x > last).float().mean())
        self.clipped = (self.clipped * self._keys + share) / (self._keys + 1)
        self._keys += 1
        low, high = grid.range
        self.low, self.high = min(self.low, low), max(self.high, high)
