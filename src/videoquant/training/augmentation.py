"""Random crops of pictures and what belongs to them, by Pillow and NumPy only: threads prepare them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Window:
    """A part of a picture in its pixels, which may reach over the right and lower edge."""

    top: int
    left: int
    height: int
    width: int

    @classmethod
    def draw(
        cls,
        random: np.random.Generator,
        picture: tuple[int, ...],
        crop: tuple[int, int],
        scales: tuple[float, float],
    ) -> Self:
        """The window that a random scale and a random place make a crop of; all of a picture that is smaller.

        picture: (height, width, …).
        crop: (height, width) that the window becomes.
        scales: bounds.
        """
        scale = math.exp(random.uniform(*np.log(scales)))
        height, width = (max(1, round(side / scale)) for side in crop)
        top = int(random.integers(max(0, picture[0] - height) + 1))
        left = int(random.integers(max(0, picture[1] - width) + 1))
        return cls(top, left, height, width)


def cut(values: Pixels, window: Window, crop: tuple[int, int], fill: int, smooth: bool) -> Pixels:
    """A window resized to `crop`: H×W×3 or H×W, uint8.

    fill: what stands outside the picture.
    smooth: bilinear and antialiased, else the nearest (of labels).
    """
    part = values[window.top : window.top + window.height, window.left : window.left + window.width]
    missing = (window.height - part.shape[0], window.width - part.shape[1])
    if any(missing):
        around = ((0, missing[0]), (0, missing[1]), *((0, 0),) * (values.ndim - 2))
        part = np.pad(part, around, constant_values=fill)
    if part.shape[:2] == crop:
        return np.ascontiguousarray(part)
    how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    image = Image.fromarray(np.ascontiguousarray(part))
    return np.array(image.resize((crop[1], crop[0]), how))


def resized(
    pixels: Pixels, labels: Pixels, random: np.random.Generator, scales: tuple[float, float]
) -> tuple[Pixels, Pixels]:
    """A picture H×W×3 and its labels H×W at a random scale: bilinear and antialiased, and the nearest."""
    scale = math.exp(random.uniform(*np.log(scales)))
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    whole = Window(0, 0, *pixels.shape[:2])
    return (
        cut(pixels, whole, (height, width), 0, smooth=True),
        cut(labels, whole, (height, width), 0, smooth=False),
    )


def jittered(pixels: Pixels, random: np.random.Generator, jitter: float) -> Pixels:
    """Brightness, contrast and saturation changed at random.

    Each is multiplied by a factor of its own from 1/(1 + jitter) to 1 + jitter.
    pixels: uint8 RGB H×W×3.
    """
    if not jitter:
        return pixels
    bound = math.log1p(jitter)
    image = Image.fromarray(pixels)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(math.exp(random.uniform(-bound, bound)))
    return np.array(image)
