"""The measure that every network has, whatever its task: signal against quantization noise."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

EXACT_DB = 150.0  # SQNR is capped here: beyond float32's own precision there is no error to speak of


class Sqnr:
    """Signal-to-quantization-noise ratio: 10·log10(Σ reference² / Σ (reference − output)²), in dB."""

    def __init__(self) -> None:
        self.signal = self.noise = 0.0

    def update(self, reference: Tensor, output: Tensor) -> float:
        """Add one tensor pair; return the ratio of this pair alone."""
        signal, noise = energies(reference, output)
        self.signal += signal
        self.noise += noise
        return decibels(signal, noise)

    def result(self) -> float:
        return decibels(self.signal, self.noise)


def energies(reference: Tensor, output: Tensor) -> tuple[float, float]:
    """Σ reference² and Σ (reference − output)²."""
    # NumPy adds up in one order, PyTorch in one that depends on the number of its threads.
    exact = reference.detach().double().numpy()
    error = exact - output.detach().double().numpy()
    return float(np.square(exact).sum()), float(np.square(error).sum())


def decibels(signal: float, noise: float) -> float:
    """10·log10(signal / noise) within ±`EXACT_DB`; an exact output gives `EXACT_DB`, nothing gives NaN."""
    if noise == 0:
        return EXACT_DB
    if signal == 0 or not math.isfinite(noise):
        return -EXACT_DB
    return max(-EXACT_DB, min(EXACT_DB, 10 * math.log10(signal / noise)))
