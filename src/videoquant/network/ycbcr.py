"""Luma and colour difference of ITU-R BT.601, as MATLAB's rgb2ycbcr: Y of 16–235, Cb and Cr of 16–240."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Rows Y, Cb, Cr; columns R, G, B in 0..1.
_MATRIX = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])
_OFFSET = np.array([16.0, 128.0, 128.0])


def luma(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Y of uint8 RGB H×W×3, not rounded: float64 H×W."""
    y: NDArray[np.float64] = _OFFSET[0] + pixels.astype(np.float64) @ _MATRIX[0] / 255
    return y


def chroma(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Cb and Cr of uint8 RGB H×W×3, not rounded: float64 H×W×2."""
    both: NDArray[np.float64] = _OFFSET[1:] + pixels.astype(np.float64) @ _MATRIX[1:].T / 255
    return both


def rgb(ycbcr: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The inverse: Y, Cb and Cr, H×W×3, to uint8 RGB, rounded and clipped to 0..255."""
    colors = 255 * (ycbcr - _OFFSET) @ np.linalg.inv(_MATRIX).T
    pixels: NDArray[np.uint8] = colors.round().clip(0, 255).astype(np.uint8)
    return pixels
