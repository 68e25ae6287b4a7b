"""Drawing on frames: smooth lines, dots, tints and labels whose size follows the frame's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from videoquant import _native
from videoquant.network.preprocessing import Preprocessing

Color = tuple[int, int, int]

LEFT: Color = (255, 159, 28)
RIGHT: Color = (46, 196, 255)
MIDDLE: Color = (190, 242, 100)
TINT: Color = (34, 197, 140)
CHANGED: Color = (124, 58, 237)
_DARK: Color = (16, 20, 24)


class Window:
    """The part of a frame that a network saw, which maps the network's input to the frame.

    The part may reach past the frame, see `Preprocessing.window`.
    frame: (height, width) of the frame; size: (height, width) of the input; preprocessing: what lay between.
    """

    def __init__(self, frame: tuple[int, int], size: tuple[int, int], preprocessing: Preprocessing) -> None:
        self.frame, self.size = frame, size
        self.top, self.left, self.height, self.width = preprocessing.window(frame, size)

    def points(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(x, y) in pixels of the input to (x, y) in pixels of the frame; both P×2."""
        scale = np.array([self.width / self.size[1], self.height / self.size[0]], dtype=np.float32)
        moved: NDArray[np.float32] = points * scale + np.array([self.left, self.top], dtype=np.float32)
        return moved

    def map(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map of the input (h×w, any resolution) resized smoothly to the frame; 0 where it saw nothing."""
        top, left, height, width = map(round, (self.top, self.left, self.height, self.width))
        resized = _native.resize_plane(np.ascontiguousarray(values), height, width)
        full = np.zeros(self.frame, dtype=np.float32)
        part = full[max(0, top) : top + height, max(0, left) : left + width]
        seen = resized[max(0, -top) :, max(0, -left) :]
        part[:] = seen[: part.shape[0], : part.shape[1]]
        return full


class Canvas:
    """Smooth drawing on a copy of a frame, uint8 RGB H×W×3; coordinates are (x, y) in the frame's pixels.

    Drawing happens on a magnified copy that is averaged down at the end, which leaves untouched pixels as
    they were. Points that are not finite or lie far outside are skipped.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.height, self.width = pixels.shape[:2]
        self.stroke = max(
            1.25, math.hypot(self.height, self.width) / 320
        )  # line width in pixels of the frame
        self._zoom = 4 if max(self.height, self.width) <= 640 else 2
        size = (self.width * self._zoom, self.height * self._zoom)
        self._image = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
        self._draw = ImageDraw.Draw(self._image)

    def skeleton(
        self, points: NDArray[np.float32], shown: Sequence[bool], bones: Iterable[tuple[int, int]],
        colors: Sequence[Color],
    ) -> None:  # fmt: skip
        """Bones between shown points (P×2), edged dark so that they stand out, then the points as dots.

        A bone between points of two sides is drawn in `MIDDLE`.
        """
        usable = [bool(s) and self._reachable(p) for s, p in zip(shown, points, strict=True)]
        drawn = [(a, b) for a, b in bones if usable[a] and usable[b]]
        for width, edge in ((2.2, True), (1.0, False)):
            for a, b in drawn:
                color = colors[b] if colors[a] in (colors[b], MIDDLE) else MIDDLE
                self._line(points[a], points[b], width * self.stroke, _DARK if edge else color)
        for point, show, color in zip(points, usable, colors, strict=True):
            if show:
                self.dot(point, 1.5 * self.stroke, _DARK)
                self.dot(point, 1.05 * self.stroke, color)

    def dot(self, point: NDArray[np.float32], radius: float, color: Color) -> None:
        """A disc; radius in pixels of the frame."""
        if self._reachable(point):
            x, y, r = (float(v) * self._zoom for v in (*point, radius))
            self._draw.ellipse((x - r, y - r, x + r, y + r), fill=color)

    def label(self, text: str) -> None:
        """Text on a dark plate in the upper left corner, a twelfth of the frame's shorter side high."""
        size = max(9.0, min(self.height, self.width) / 16) * self._zoom
        # A long text or a narrow frame: never wider than the frame.
        size *= min(1.0, 0.9 * self.width * self._zoom / self._font(size).getlength(text))
        margin = size / 2.5
        font = self._font(size)
        _, top, right, bottom = self._draw.textbbox((margin * 2, margin * 1.8), text, font=font)
        plate = (margin, top - 0.8 * margin, right + margin, bottom + 0.8 * margin)
        self._draw.rounded_rectangle(plate, radius=margin / 1.5, fill=_DARK)
        self._draw.text((margin * 2, margin * 1.8), text, font=font, fill=(255, 255, 255))

    def box(self, corners: NDArray[np.float32], text: str, color: Color) -> None:
        """The outline of (left, top, right, bottom), edged dark, and a text on a plate of its colour.

        The plate stands above the box, or within it where there is no room.
        """
        if not (self._reachable(corners[:2]) and self._reachable(corners[2:])):
            return
        x1, y1, x2, y2 = (float(v) * self._zoom for v in corners)
        width = max(1, round(self.stroke * self._zoom))
        edge = max(1, width // 3)
        outer = (x1 - edge, y1 - edge, max(x1, x2) + edge, max(y1, y2) + edge)
        self._draw.rectangle(outer, outline=_DARK, width=width + 2 * edge)
        self._draw.rectangle((x1, y1, max(x1, x2), max(y1, y2)), outline=color, width=width)
        if text:
            font = self._font(max(8.0, min(self.height, self.width) / 26) * self._zoom)
            _, top, right, bottom = font.getbbox(text)
            margin = (bottom - top) / 3
            height = bottom - top + 2 * margin
            low = y1 if y1 >= height else y1 + height
            self._draw.rectangle((x1, low - height, x1 + right + 2 * margin, low), fill=color)
            self._draw.text((x1 + margin, low - height + margin - top), text, font=font, fill=_DARK)

    def picture(self) -> NDArray[np.uint8]:
        """The finished frame, uint8 RGB H×W×3."""
        return np.array(self._image.reduce(self._zoom))

    def _line(self, a: NDArray[np.float32], b: NDArray[np.float32], width: float, color: Color) -> None:
        ends = [(float(x) * self._zoom, float(y) * self._zoom) for x, y in (a, b)]
        self._draw.line(ends, fill=color, width=max(1, round(width * self._zoom)))
        for end in (a, b):
            self.dot(end, width / 2, color)

    def _reachable(self, point: NDArray[np.float32]) -> bool:
        """Whether a point is near enough to the frame to matter; a broken network can put it anywhere."""
        x, y = point
        return bool(-self.width < x < 2 * self.width and -self.height < y < 2 * self.height)

    @staticmethod
    def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size)


def tint(
    pixels: NDArray[np.uint8],
    share: NDArray[np.float32],
    color: Color | NDArray[np.uint8],
    strength: float = 0.5,
) -> NDArray[np.uint8]:
    """Mix a colour (or one per pixel, H×W×3) into a frame by `share` (H×W, 0..1), at most `strength`."""
    weight = (share.clip(0, 1) * strength)[..., None]
    mixed: NDArray[np.uint8] = (pixels * (1 - weight) + np.asarray(color, np.float32) * weight + 0.5).astype(
        np.uint8
    )
    return mixed


def tint_mask(
    pixels: NDArray[np.uint8], probability: NDArray[np.float32], color: Color = TINT
) -> NDArray[np.uint8]:
    """Tint where a probability (H×W) is above 0.5 and draw the border there."""
    # The border is where the probability crosses 0.5 between neighbouring pixels; a steep ramp smooths it.
    inside = ((probability - 0.5) * 4 + 0.5).clip(0, 1)
    edged = tint(pixels, inside, color, 0.45)
    reach = max(1, round(math.hypot(*probability.shape) / 600))
    share = _average(probability > 0.5, reach)
    border: NDArray[np.float32] = 4 * share * (1 - share)
    return tint(edged, border, color, 0.95)


def _average(yes: NDArray[np.bool_], reach: int) -> NDArray[np.float32]:
    """The share of each window of 2 · reach + 1, of H×W; beyond the border stands what is nearest."""
    height, width = yes.shape
    side = 2 * reach + 1
    sums = np.pad(yes, reach, mode="edge").cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32)
    sums = np.pad(sums, ((1, 0), (1, 0)))
    rows = sums[side : side + height] - sums[:height]
    counts = rows[:, side : side + width] - rows[:, :width]
    share: NDArray[np.float32] = counts.astype(np.float32) / np.float32(side * side)
    return share


def fitted(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture as large as fits into `size` (height, width) with its aspect ratio, black around it.

    pixels: uint8 RGB, H×W×3; they come back as they are where they have this size.
    """
    if pixels.shape[:2] == size:
        return pixels
    scale = min(size[0] / pixels.shape[0], size[1] / pixels.shape[1])
    height, width = (max(1, round(part * scale)) for part in pixels.shape[:2])
    whole = np.zeros((*size, 3), np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    resized = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
    whole[top : top + height, left : left + width] = resized
    return whole


def tint_changed(
    picture: NDArray[np.uint8],
    changed: NDArray[np.float32],
    frame: tuple[int, int],
    preprocessing: Preprocessing,
) -> NDArray[np.uint8]:
    """Tint where an engine worked. picture: drawn by a task, of the frame's size or a multiple of it.

    changed: 0 … 1 at the resolution of the network's input, see `engine.Stream.changed`. frame: (height,
    width) of the frame; preprocessing: what lay between the two.
    """
    size = (changed.shape[0], changed.shape[1])
    share = Window(frame, size, preprocessing).map(changed)
    if share.shape != picture.shape[:2]:
        enlarged = Image.fromarray(share).resize(picture.shape[1::-1], Image.Resampling.BILINEAR)
        share = np.asarray(enlarged, np.float32)
    return tint(picture, share, CHANGED, 0.55)


def palette(count: int) -> NDArray[np.uint8]:
    """Clearly different colours for `count` classes, uint8 count×3: hues by the golden ratio."""
    hues = (0.58 + np.arange(count) * 0.618034) % 1.0
    values = np.where(np.arange(count) % 2, 255, 215)
    hsv = np.stack([hues * 255, np.full(count, 190), values], axis=-1).astype(np.uint8)
    rgb: NDArray[np.uint8] = np.array(Image.fromarray(hsv[None], "HSV").convert("RGB"))[0]
    return rgb
