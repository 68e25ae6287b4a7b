"""A decoded video frame as upright RGB pixels: matrix, range, pixel shape and orientation as its file states.

Transfer curve and primaries stay as they are: an HDR film (PQ, HLG) is not mapped to the tones of a screen.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

# ITU-T H.273, matrix coefficients: those that swscale knows, by the number a file states them with.
MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
YCGCO = 8

# Pixels eight times as wide as high, or the reverse, are a writer's mistake.
WIDEST_PIXEL = 8


def upright_pixels(
    frame: av.VideoFrame, pixel_aspect: Fraction | None = None, to_rgb: VideoReformatter | None = None
) -> NDArray[np.uint8]:
    """A frame as players show it: uint8 RGB, H×W×3, of square pixels, turned and mirrored.

    The matrix is the one that the frame states; where it states none, BT.709 from 1280 pixels of width or
    more than 576 of height, else BT.601, as players have it. Without a word on the range YUV is limited and
    grey is full. Transparency is dropped.
    pixel_aspect: width by height of the stored pixels; the shorter side is enlarged. None, and what cannot
        be, count as 1.
    to_rgb: keeps swscale's tables from frame to frame.
    """
    width, height = square_size(frame.width, frame.height, pixel_aspect)
    matrix = MATRICES.get(frame.colorspace, _usual_matrix(frame))
    wanted = "yuv444p" if frame.colorspace == YCGCO and not frame.format.is_rgb else "rgb24"
    rgb = (to_rgb or VideoReformatter()).reformat(
        frame, width, height, wanted, src_colorspace=matrix, dst_colorspace=matrix
    )
    pixels: NDArray[Any] = rgb.to_ndarray()
    if wanted == "yuv444p":
        pixels = _rgb_of_ycgco(pixels, frame.color_range == ColorRange.JPEG)
    elif frame.color_range == ColorRange.MPEG and frame.format.name.startswith(("gray", "ya")):
        pixels = _full_range()[pixels]  # swscale takes every grey for full range
    return np.ascontiguousarray(_turned(pixels, frame))


def square_size(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """(width, height) that a picture has when its pixels are made square; see `upright_pixels`."""
    aspect = pixel_aspect or Fraction(1)
    if not Fraction(1, WIDEST_PIXEL) <= aspect <= WIDEST_PIXEL:
        return width, height
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def _usual_matrix(frame: av.VideoFrame) -> Colorspace:
    return Colorspace.ITU709 if frame.width >= 1280 or frame.height > 576 else Colorspace.ITU601


def _turned(pixels: NDArray[np.uint8], frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Apply the display matrix, whose first rows are (a, b, ·), (c, d, ·): x' = a·x + c·y, y' = b·x + d·y.

    It is taken for the nearest of the eight that a rectangle can have.
    """
    try:
        stated: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # beside it lies side data that is newer than PyAV; the turn alone is known then
        return np.rot90(pixels, round(frame.rotation / 90))
    if stated is None:
        return pixels
    a, b, _, c, d = np.frombuffer(stated, np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        pixels, across, down = pixels.swapaxes(0, 1), c, b
    else:
        across, down = a, d
    return pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def _full_range() -> NDArray[np.uint8]:
    """A table from 16…235 to 0…255."""
    return ((np.arange(256) - 16) * (255 / 219)).round().clip(0, 255).astype(np.uint8)


def _rgb_of_ycgco(yuv: NDArray[np.uint8], is_full: bool) -> NDArray[np.uint8]:
    """H.273, equations 58 to 61; swscale does not know this matrix. yuv: uint8 3×H×W."""
    y, green, orange = yuv.astype(np.float32)
    y, spread = (y, 1.0) if is_full else ((y - 16) * (255 / 219), 255 / 224)
    green, orange = (green - 128) * spread, (orange - 128) * spread
    rgb = np.stack([y - green + orange, y + green, y - green - orange], axis=-1)
    result: NDArray[np.uint8] = rgb.round().clip(0, 255).astype(np.uint8)
    return result
