"""A still becomes a clip: a camera pans, zooms and turns smoothly over it, and its sensor adds noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image

from videoquant.training.augmentation import Pixels

# The most that happens from one frame to the next.
PAN = 0.03  # of the crop's longer side
ZOOM = 0.03
TURN = math.radians(0.7)
# Standard deviation of the sensor's noise, in grey levels. Pictures bring their own, and keyframes see what
# is added to that: with 2 levels DDRNet-23-slim lost more by learning to see through it than training won.
NOISE = 0.5


@dataclass(frozen=True)
class Camera:
    """Where a camera looks in a picture, frame by frame.

    centre: (x, y) in the picture's pixels that the first frame, which shows them one to one, has in its
        middle.
    speed: per frame, (pan right, pan down) in pixels, the logarithm of the zoom, and the turn in radians; it
        changes evenly from the first to the second.
    """

    centre: tuple[float, float]
    speed: tuple[tuple[float, ...], tuple[float, ...]]

    @classmethod
    def draw(
        cls,
        random: np.random.Generator,
        picture: tuple[int, ...],
        crop: tuple[int, int],
    ) -> Self:
        """A random camera whose first frame lies in the picture where it can.

        How lively it is varies from clip to clip: all speeds are scaled by one number from 0 to 1.
        picture: (height, width, …).
        crop: (height, width) of a frame.
        """
        centre = []
        for side, out in ((picture[1], crop[1]), (picture[0], crop[0])):
            room = max(0, side - out)  # whole pixels: the first frame is resampled by nothing
            centre.append(out / 2 + int(random.integers(room + 1)) if room else side / 2)
        most = np.array([PAN * max(crop), PAN * max(crop), ZOOM, TURN]) * random.uniform()
        first = random.uniform(-1, 1, 4)
        last = np.clip(first + random.uniform(-0.5, 0.5, 4), -1, 1)
        return cls((centre[0], centre[1]), (tuple(first * most), tuple(last * most)))

    def maps(self, crop: tuple[int, int], frames: int) -> list[tuple[float, ...]]:
        """Per frame (a, b, c, d, e, f): its pixel (x, y) shows the picture at (ax + by + c, dx + ey + f)."""
        first, last = (np.array(speed) for speed in self.speed)
        ways = np.zeros((frames, 4))
        for t in range(1, frames):
            share = (t - 1) / max(1, frames - 2)
            ways[t] = ways[t - 1] + first * (1 - share) + last * share
        result: list[tuple[float, ...]] = []
        for right, down, log_zoom, turn in ways:
            zoom = math.exp(log_zoom)
            cos, sin = math.cos(turn) / zoom, math.sin(turn) / zoom
            x, y = self.centre[0] + right, self.centre[1] + down
            middle = crop[1] / 2, crop[0] / 2
            c = x - cos * middle[0] + sin * middle[1]
            f = y - sin * middle[0] - cos * middle[1]
            result.append((cos, -sin, c, sin, cos, f))
        return result


def film(
    values: Pixels, maps: list[tuple[float, ...]], crop: tuple[int, int], fill: int, smooth: bool
) -> Pixels:
    """What a camera sees: T×h×w×3 of a picture, T×h×w of labels, uint8.

    maps: of `Camera.maps`.
    fill: what stands outside the picture.
    smooth: bicubic, which keeps what is sharp sharp, else nearest (of labels).
    """
    image = Image.fromarray(np.ascontiguousarray(values))
    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    colour = fill if values.ndim == 2 else (fill,) * values.shape[2]
    size = (crop[1], crop[0])
    return np.stack(
        [np.asarray(image.transform(size, Image.Transform.AFFINE, m, how, fillcolor=colour)) for m in maps]
    )


def noisy(clip: Pixels, random: np.random.Generator) -> Pixels:
    """A clip with its sensor's noise, another in every frame, of a strength up to `NOISE` drawn for it."""
    noise = random.standard_normal(clip.shape, np.float32) * np.float32(random.uniform(0, NOISE))
    return np.clip(np.rint(clip + noise), 0, 255).astype(np.uint8)
