"""Tiny pictures for tests that write data sets in their official layouts."""

from pathlib import Path

import numpy as np
from PIL import Image


def save(
    file: Path, pixels: np.ndarray | None = None, value: int = 0, size: tuple[int, int] = (4, 6)
) -> Path:
    """Write a picture, of `pixels` or of one colour, and the folders it lies in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if pixels is None:
        pixels = np.full((*size, 3), value, np.uint8)
    Image.fromarray(pixels.astype(np.uint8)).save(file)
    return file
