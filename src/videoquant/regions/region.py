"""The part of a frame that is computed anew, and what that is in a map of any size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Region:
    """Blocks of a network's input. All else keeps the values that it had.

    blocks: bool Hb×Wb, whether a block is computed anew. Block (i, j) are the input's rows from i · block and
        columns from j · block; the last ones may be cut off.
    whole: the frame is computed as it would be without regions; all blocks are True.
    moving: it is whole, and so are the frames right before and after it: it needs nothing that is held, and
        nothing of it needs to be held.
    size: (height, width) of the input, in pixels.
    block: height and width of a block, in pixels.
    """

    blocks: NDArray[np.bool_]
    whole: bool
    moving: bool
    size: tuple[int, int]
    block: int

    @property
    def share(self) -> float:
        """The share of the input's pixels that are in the region, 0 to 1."""
        rows, columns = (
            np.minimum(self.block, length - np.arange(count) * self.block)
            for length, count in zip(self.size, self.blocks.shape, strict=True)
        )
        return int(rows @ self.blocks.astype(np.int64) @ columns) / (self.size[0] * self.size[1])

    def mask(self, height: int, width: int, grow: int = 0) -> NDArray[np.bool_]:
        """The pixels of a map of height×width that are computed anew, bool.

        Pixel (y, x) is one where a block meets the input's rows ⌊y·H/h⌋ to ⌈(y+1)·H/h⌉ − 1 and columns
        likewise, the window of adaptive pooling. grow: pixels that the region then grows by, on all sides.
        """
        across = _windows(self.blocks, self.size[0], height, self.block, grow)
        return _windows(across.T, self.size[1], width, self.block, grow).T


def _windows(blocks: NDArray[np.bool_], size: int, to: int, block: int, grow: int) -> NDArray[np.bool_]:
    """The first axis brought from blocks of an input of `size` to a map of `to`, grown by `grow`."""
    places = np.arange(to)
    first = places * size // to // block
    last = (-(-(places + 1) * size // to) - 1) // block
    first, last = first[np.maximum(places - grow, 0)], last[np.minimum(places + grow, to - 1)]
    before = np.zeros((len(blocks) + 1, blocks.shape[1]), np.int64)
    np.cumsum(blocks, 0, out=before[1:])
    inside: NDArray[np.bool_] = before[last + 1] > before[first]
    return inside
