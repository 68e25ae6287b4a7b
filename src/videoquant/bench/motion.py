"""Motion detection as gates in use do it: differences of small grey pictures. States belong to a stream.

Both look at the green channel, which is most of luma, of a picture that is thinned out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grey = NDArray[np.uint8]
Box = tuple[int, int, int, int]  # top, left, bottom, right in pixels of the picture, the last two exclusive


class BlockMotion:
    """Whether anything moves between a frame and the one before, as DL Streamer's gvamotiondetect has it.

    The pixels that changed (difference, 3×3 Gaussian, threshold, opened and dilated by 3×3) are counted by
    blocks of 64 pixels; one block with a share of them is motion, and for one frame more. Its numbers are the
    element's defaults; it then tracks boxes, which says nothing more of whether there are any.

    difference: of a pixel, in levels (pixel-diff-threshold, 15). ratio: of a block (motion-threshold, 0.05).
    """

    BLOCK, GRACE = 64, 1

    def __init__(self, ratio: float = 0.05, difference: int = 15) -> None:
        self.ratio, self.difference = ratio, difference
        self._before: Grey | None = None
        self._still = 0

    def moves(self, picture: NDArray[np.uint8]) -> bool:
        """Of the next frame, uint8 H×W×C. The first moves."""
        step = max(1, picture.shape[1] // 320)
        grey = np.ascontiguousarray(picture[::step, ::step, 1])
        before, self._before = self._before, grey
        if before is None:
            return True
        far = _smooth(np.maximum(grey, before) - np.minimum(grey, before)) > self.difference
        if self._any_block(far, max(4, self.BLOCK // step)):
            self._still = 0
        else:
            self._still += 1
        return self._still <= self.GRACE

    def _any_block(self, far: NDArray[np.bool_], side: int) -> bool:
        if not far.any():
            return False
        far = _spread(_spread(_shrunk(far)))
        rows, columns = (np.arange(0, length, side) for length in far.shape)
        counts = np.add.reduceat(np.add.reduceat(far, rows, 0, dtype=np.int32), columns, 1)
        sizes = np.outer(
            np.diff(rows, append=far.shape[0]), np.diff(columns, append=far.shape[1])
        )  # the last blocks are cut off
        return bool((counts >= self.ratio * sizes).any())


class BoxMotion:
    """Which boxes differ from the background, as Frigate's detector has it.

    The picture, 100 pixels high, its contrast stretched (percentiles 4 and 96, a mean of 50 frames), is
    smoothed and compared with a running average, which begins with the first frame; what differs is dilated
    by 3×3, and every part of it above 10 pixels is a box. The average follows by 1% a frame, and while there
    is motion from its tenth frame on. Where more than 80% moves it follows by 20% until less than 5% does:
    the detector calibrates, and boxes mean nothing.

    difference: in levels of the stretched picture (threshold, 30).
    """

    HEIGHT, PACE, FAST, PATIENCE, SMALLEST, LIGHTNING, CALM = 100, 0.01, 0.2, 10, 10, 0.8, 0.05
    HISTORY = 50  # frames of contrasts

    def __init__(self, difference: int = 30) -> None:
        self.difference = difference
        self._mean: NDArray[np.float32] | None = None
        self._contrasts: list[tuple[int, int]] = []
        self._moved = 0
        self._calibrates = False

    def boxes(self, picture: NDArray[np.uint8]) -> list[Box] | None:
        """Of the next frame, uint8 H×W×C. None where it does not know: of the first, and as it calibrates."""
        step = max(1, picture.shape[0] // self.HEIGHT)
        grey = _smooth(self._stretched(picture[::step, ::step, 1])).astype(np.float32)
        if self._mean is None:
            self._mean = grey
            return None
        far = _spread(np.abs(grey - np.rint(self._mean)) > self.difference)
        parts, _ = ndimage.label(far, np.ones((3, 3)))
        areas = np.bincount(parts.ravel())[1:]
        found = [
            (rows.start * step, columns.start * step, rows.stop * step, columns.stop * step)
            for area, (rows, columns) in zip(areas, ndimage.find_objects(parts), strict=True)
            if area > self.SMALLEST
        ]
        share = float(areas.sum()) / far.size
        if share < self.CALM and len(found) <= 4:
            self._calibrates = False
        if share > self.LIGHTNING:
            self._calibrates = True
        self._moved = self._moved + 1 if found else 0
        if not found or self._moved >= self.PATIENCE:
            self._mean += (self.FAST if self._calibrates else self.PACE) * (grey - self._mean)
        return None if self._calibrates else found

    def _stretched(self, grey: Grey) -> Grey:
        ordered = np.sort(grey, None)
        low, high = (int(ordered[int(q * (ordered.size - 1))]) for q in (0.04, 0.96))
        if low < high:
            self._contrasts = [*self._contrasts[-self.HISTORY + 1 :], (low, high)]
        low_mean, high_mean = np.mean(self._contrasts or [(0, 255)], 0)
        table = (np.arange(256) - low_mean) * 255 / (high_mean - low_mean)
        stretched: Grey = table.clip(0, 255).astype(np.uint8)[grey]
        return stretched


def cover(
    boxes: Sequence[Box], size: tuple[int, int], crop: tuple[int, int], align: int, edge: int = 0
) -> list[Box] | None:
    """Crops of one size that cover boxes, each 1.2 times as large, their corners at multiples of `align`.

    size, crop: (height, width) of the picture and of a crop. edge: pixels around each box that are in its
    crop too. None where a box is larger than a crop, or the crops together are as large as the picture: all
    of it is less work then.
    """
    wanted = []
    for top, left, bottom, right in boxes:
        above, beside = (edge + length // 10 + 1 for length in (bottom - top, right - left))
        wanted.append(
            (
                max(0, top - above),
                max(0, left - beside),
                min(size[0], bottom + above),
                min(size[1], right + beside),
            )
        )
    crops: list[Box] = []
    while wanted:
        # The crop that begins at the topmost box takes the leftmost corner with the most boxes in it.
        wanted.sort()
        first = wanted[0]
        tops, lefts = (
            range(
                max(0, -(-(first[axis + 2] - crop[axis]) // align) * align),
                min(first[axis], size[axis] - crop[axis]) // align * align + 1,
                align,
            )
            for axis in (0, 1)
        )
        choices = [(top, left, top + crop[0], left + crop[1]) for top in tops for left in lefts]
        if not choices:
            return None
        best = max(choices, key=lambda choice: sum(_inside(box, choice) for box in wanted))
        crops.append(best)
        wanted = [box for box in wanted if not _inside(box, best)]
        if len(crops) * crop[0] * crop[1] >= size[0] * size[1]:
            return None
    return crops


def _inside(box: Box, crop: Box) -> bool:
    return crop[0] <= box[0] and crop[1] <= box[1] and box[2] <= crop[2] and box[3] <= crop[3]


def _smooth(grey: Grey) -> Grey:
    """A Gaussian of 3×3, (1 2 1)/4 along both axes, the edge repeated; rounded down."""
    x = np.pad(grey, 1, mode="edge").astype(np.uint16)
    x = x[:-2] + 2 * x[1:-1] + x[2:]
    return ((x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]) >> 4).astype(np.uint8)


def _spread(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Dilated by 3×3."""
    x = np.pad(mask, 1)
    x = x[:-2] | x[1:-1] | x[2:]
    spread: NDArray[np.bool_] = x[:, :-2] | x[:, 1:-1] | x[:, 2:]
    return spread


def _shrunk(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Eroded by 3×3; beyond the edge all is set."""
    return ~_spread(~mask)
