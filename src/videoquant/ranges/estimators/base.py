"""What a range estimator is: from a tensor and a bit-width to the range (a, b) of its grid, a ≤ 0 ≤ b.

An estimator is a value of a scheme, so it is frozen, and its class says how the scheme's text names it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from videoquant.errors import needs_extra
from videoquant.ranges.grid import Grid, Range

Array = NDArray[np.float32]
# How the ranges of several samples become one: their average, the largest, halfway between these two, the one
# of these three by which the layers that read it lose least, or the range of all samples' elements together.
Pooling = Literal["mean", "halfway", "largest", "by-layers", "together"]
MANY = 7  # bits: from here on there are codes to spare, and what is clipped is what is lost


class Estimator(ABC):
    """How the range of one activation, residual or weight tensor is measured.

    word: its name in a scheme's text, such as "minmax"; empty where no scheme can name it.
    expects: what stands after "=" there, in words, such as "number between 0.5 and 1"; empty: nothing does.
    is_dense: whether its ranges end where the cells of `Grid.dense` do, not at the last code.
    clips_weights: whether weights, which have no tails that calibration would miss, are clipped as well.
    votes_for_frame: whether residuals' ranges are found for all samples together, the frame itself having a
        small vote (`quantizers/residual_clip.py`), in place of sample by sample.
    """

    word: ClassVar[str] = ""
    expects: ClassVar[str] = ""
    is_dense: ClassVar[bool] = False
    clips_weights: ClassVar[bool] = False
    votes_for_frame: ClassVar[bool] = False

    @abstractmethod
    def measure(self, x: Array, bits: int, symmetric: bool) -> Range:
        """The range of one sample.

        x: float32 of any shape and memory layout, with at least one element, all finite.
        bits: of the grid, 2 to 8.
        symmetric: asks for (−c, c), for residuals and weights.
        Raises `MissingExtraError` where it needs PyTorch, which is not installed.
        """

    def grid(self, limits: Range, bits: int, symmetric: bool) -> Grid:
        """The grid of a range as `measure` gives it: symmetric for residuals, affine for activations."""
        return Grid.symmetric(limits[1], bits) if symmetric else Grid.affine(*limits, bits)

    def pooling(self, bits: int) -> Pooling:
        """How samples are pooled where the scheme does not say. bits: of the grid."""
        return "mean"

    def require(self) -> None:
        """Raise `MissingExtraError` where this installation cannot measure with it. NumPy is always there."""
        return

    @classmethod
    def from_text(cls, value: str) -> Self:
        """The estimator of "word=value". Raises `ValueError` where `expects` is not met."""
        raise ValueError(value)

    def __str__(self) -> str:
        """Its word in a scheme's text, which `from_text` reads back."""
        return self.word


class Measure(Protocol):
    """`Estimator.measure` as a function."""

    def __call__(self, x: Array, bits: int, symmetric: bool, power: float = ...) -> Range: ...


class InPyTorch(Estimator):
    """An estimator whose sums are PyTorch's: NumPy adds in another order, and one rounding moves a clip.

    module: where its `measure` is. It is imported by name when something is measured, so that schemes and
    plans can speak of the estimator where PyTorch is not installed.
    """

    module: ClassVar[str]

    def measure(self, x: Array, bits: int, symmetric: bool) -> Range:
        return self._imported()(x, bits, symmetric)

    def require(self) -> None:
        self._imported()

    def _imported(self) -> Measure:
        with needs_extra(f"measuring ranges by {self}"):
            found: Any = import_module(self.module)
        measure: Measure = found.measure
        return measure


def values(x: Array) -> Array:
    """All elements, flat, in the order they lie in memory: N×C×H×W with channels last is not copied."""
    x = np.asarray(x)
    if x.ndim == 4 and x.transpose(0, 2, 3, 1).flags.c_contiguous:
        x = x.transpose(0, 2, 3, 1)
    return x.reshape(-1)


def extremes(x: Array) -> Range:
    """Minimum and maximum. NumPy's are vectorised where `torch.aminmax` walks through channels last."""
    flat = values(x)
    return float(flat.min()), float(flat.max())


def around_zero(low: float, high: float, symmetric: bool) -> Range:
    """The range, widened so that it holds zero; symmetric: (−c, c) that holds both ends."""
    if symmetric:
        limit = max(-low, high, 0.0)
        return -limit, limit
    return min(low, 0.0), max(high, 0.0)
