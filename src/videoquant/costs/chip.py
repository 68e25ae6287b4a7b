"""A chip as a value: what it computes per second at each pair of bit-widths, and what it moves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from videoquant.axes import FLOAT
from videoquant.errors import ChipError

Array = NDArray[np.float64]
Precision = tuple[int, int]  # bits of weights and of activations; (32, 32) and (16, 16) are floating point


@dataclass(frozen=True)
class Energy:
    """What work takes, in joules.

    mac: a multiply–accumulate, by precision.
    byte: between memory and the chip.
    buffer_byte: between the on-chip buffer and the array.
    """

    mac: Mapping[Precision, float]
    byte: float
    buffer_byte: float


@dataclass(frozen=True)
class Chip:
    """A multiply–accumulate array behind an on-chip buffer, behind memory.

    source: where the numbers are from, in words.
    peak: multiply–accumulates per second by precision, e.g. {(8, 8): 65e12, (16, 16): 32e12}.
    array: how many input and output channels it takes at once; a layer that does not fill it wastes the rest.
    buffer: bytes.
    bandwidth: of memory, in bytes per second.
    overhead: seconds per layer.
    sparse_cost: how many dense 16-bit multiply–accumulates one of the sparse part of Dense + Sparse costs.
    energy: None where nothing is known of it.
    Raises `ChipError` for an impossible value, by its name.
    """

    name: str
    source: str
    peak: Mapping[Precision, float]
    array: tuple[int, int]
    buffer: float
    bandwidth: float
    overhead: float = 0.0
    sparse_cost: float = 1.0
    energy: Energy | None = None

    def __post_init__(self) -> None:
        if not self.peak:
            raise ChipError(f"{self.name}: the peak of no precision is given")
        positive = {f"peak of {precision_text(p)}": value for p, value in self.peak.items()}
        positive |= {"array": min(self.array), "buffer": self.buffer, "bandwidth": self.bandwidth}
        positive["sparse cost"] = self.sparse_cost
        for name, value in positive.items():
            if not 0 < value < math.inf:
                raise ChipError(f"{self.name}: {name} is {value:g}; it must be above 0")
        at_least_zero = {"overhead": self.overhead}
        if self.energy:
            energies = {f"energy per MAC of {precision_text(p)}": e for p, e in self.energy.mac.items()}
            at_least_zero |= energies
            at_least_zero |= {"energy per byte": self.energy.byte}
            at_least_zero |= {"energy per buffer byte": self.energy.buffer_byte}
            odd = set(self.energy.mac) ^ set(self.peak)
            if odd:
                word = precision_text(min(odd))
                raise ChipError(f"{self.name}: {word} needs both a peak and an energy per MAC, or neither")
        for name, value in at_least_zero.items():
            if not 0 <= value < math.inf:
                raise ChipError(f"{self.name}: {name} is {value:g}; it must be 0 or more")

    def precision(self, weights: int, activations: int) -> Precision | None:
        """What computes these bit-widths: the fastest of all that hold them; None where none does."""
        return next((p for p in self._fastest_first if p[0] >= weights and p[1] >= activations), None)

    def seconds_per_mac(self, weights: NDArray[np.int64], activations: NDArray[np.int64]) -> Array:
        """At the peak, for bit-widths 0 to 32: 0 where one of them is 0, NaN where nothing computes them."""
        return self._seconds[weights, activations]

    def joules_per_mac(self, weights: NDArray[np.int64], activations: NDArray[np.int64]) -> Array:
        """The same of energy; NaN where nothing is known of it."""
        return self._joules[weights, activations]

    @cached_property
    def _seconds(self) -> Array:
        return self._table({p: 1 / peak for p, peak in self.peak.items()})

    @cached_property
    def _joules(self) -> Array:
        return self._table(self.energy.mac if self.energy else {})

    def _table(self, values: Mapping[Precision, float]) -> Array:
        """A value per pair of bit-widths, by that of the precision which computes it."""
        table = np.full((FLOAT + 1, FLOAT + 1), np.nan)
        for weights, activations in reversed(self._fastest_first):
            if (weights, activations) in values:
                table[: weights + 1, : activations + 1] = values[weights, activations]
        table[0], table[:, 0] = 0.0, 0.0
        return table

    @cached_property
    def _fastest_first(self) -> list[Precision]:
        return sorted(self.peak, key=lambda p: (-self.peak[p], p))


def precision_text(precision: Precision) -> str:
    """As in schemes: "w8a4"."""
    return f"w{precision[0]}a{precision[1]}"
