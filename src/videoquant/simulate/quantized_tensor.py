"""A quantized activation as a layer reads it: whole steps from the zero point, not yet times a scale."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from videoquant.ranges.grid import Grid


@dataclass(frozen=True)
class QuantizedTensor:
    """x̂ = steps · grid.scale + sparse.

    steps: q − zero point, whole numbers in float32.
    sparse: S of Dense + Sparse, of the same shape, or None.
    """

    steps: Tensor
    grid: Grid
    sparse: Tensor | None = None

    @property
    def values(self) -> Tensor:
        """x̂, float32: a new tensor."""
        dense = self.steps * self.grid.scale
        return dense if self.sparse is None else dense.add_(self.sparse)


# What layers read at a quantizer point. A tensor is x̂ itself: where nothing is quantized, and where a
# gradient passes through.
Represented = Tensor | QuantizedTensor


def values_of(x: Represented) -> Tensor:
    """x̂ as float32."""
    return x.values if isinstance(x, QuantizedTensor) else x


def add_to(reference: Tensor, x: Represented) -> Tensor:
    """reference + x̂: a new tensor."""
    return x.values.add_(reference) if isinstance(x, QuantizedTensor) else reference + x
