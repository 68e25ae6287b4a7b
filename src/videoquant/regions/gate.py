"""The gate at the network's input: which blocks of a frame are computed anew. Equations: docs/regions.md.

A pure function of the frame and of the state that the frames before left: whole numbers, and float64 in the
order that is written here. `native/core/gate.cpp` is its twin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from videoquant.axes import Regions
from videoquant.errors import DataError, SchemeError
from videoquant.regions import noise
from videoquant.regions.region import Region

CELL = 4  # height and width of a cell in pixels, and of a patch in cells
OLD = 2**30  # frames since something that never was, or is forgotten
CUT = 0.75  # share of blocks, triggered or near one, from which on a frame is computed whole
CALM = 0.5  # share below which a stretch of whole frames ends
NEARLY = 0.9  # share of blocks in the region from which on lists of pixels cost more than the whole frame
DARK = 2  # bins of brightness that are dark: below 64 levels
MOST = 4  # the noise raises what triggers to so many times the floor at most


@dataclass(frozen=True, eq=False)
class GateState:
    """What the gate knows of the frames before.

    frames: how many there were.
    held: of the pixels that are held, the sum of each cell: int64 h×w×C. None before the first frame.
    before: the same of the frame before.
    since: frames since a block, or one near it, was triggered: int64 Hb×Wb.
    still: frames since a block was triggered, or stirred before it rested: int64 Hb×Wb.
    deviation: of a cell's sum from frame to frame, by brightness: `noise.updated`.
    last: what the frame before was.
    """

    frames: int
    held: NDArray[np.int64] | None
    before: NDArray[np.int64] | None
    since: NDArray[np.int64]
    still: NDArray[np.int64]
    deviation: NDArray[np.float64]
    last: Literal["region", "whole", "moving"]


class Gate:
    """Decides, frame by frame, which blocks of a network's input are computed anew."""

    def __init__(self, regions: Regions, size: tuple[int, int], channels: int) -> None:
        """regions: the rule's parameters. size: (height, width) of the input. channels: of a picture.

        Raises `SchemeError` where the picture is one block.
        """
        check_blocks(regions, size)
        self.regions = regions
        self.size = size
        self.channels = channels
        self.rows, self.columns = (-(-length // regions.block) for length in size)

    def first(self) -> GateState:
        """The state before the first frame of a stream, and after a reset."""
        old = np.full((self.rows, self.columns), OLD)
        return GateState(0, None, None, old, old, np.full(noise.BINS, noise.UNKNOWN), "region")

    def step(self, state: GateState, picture: NDArray[np.uint8]) -> tuple[Region, GateState]:
        """The region of a frame, and the state after it. Neither argument is changed.

        picture: uint8 H×W×C, of the input's size. Raises `DataError` for another shape or type.
        """
        if picture.shape != (*self.size, self.channels) or picture.dtype != np.uint8:
            raise not_a_picture(picture, self.size, self.channels)
        sums = cell_sums(picture)
        if state.held is None or state.before is None:
            begun = GateState(1, sums, sums, state.since, state.still, state.deviation, "whole")
            return self._region(None, False), begun

        bright = state.held[:, :, self.channels // 2]
        patch_bins = _patches(bright).sum((1, 3)) >> 13
        limits, near = self._limits(state.deviation)
        change: NDArray[np.int64] = np.max(np.abs(sums - state.held), 2)
        far = self._of_blocks(change > limits[bright >> 9])
        faint = self._faint(sums - state.held, patch_bins, limits)
        triggered = dilated(far | faint, self.regions.margin)
        awake = state.still <= self.regions.rest  # what rests is not woken by what stirs
        stirs = triggered | (awake & self._of_blocks(change > near[bright >> 9]))
        since = np.where(triggered, 0, np.minimum(state.since + 1, OLD))
        still = np.where(stirs, 0, np.minimum(state.still + 1, OLD))

        # A stretch of whole frames ends with one that is whole too, though little has moved in it.
        much = bool(triggered.mean() >= (CUT if state.last == "region" else CALM))
        whole = much or state.last == "moving"
        moving = much and state.last != "region"
        if much:  # a cut says nothing of what will move next
            since = np.full_like(since, OLD)
        active = (since <= self.regions.memory) & (still <= self.regions.rest)
        blocks = active | self._due(state.frames)[:, None]
        all_of_it = whole or bool(blocks.mean() >= NEARLY)
        held = np.where(self._of_cells(blocks | all_of_it)[:, :, None], sums, state.held)
        moved = _patches(np.abs(sums - state.before).sum(2)).sum((1, 3))
        most = MOST * self.regions.floor * CELL**2 / self.regions.trigger
        deviation = noise.updated(state.deviation, moved, patch_bins, CELL**2 * self.channels, most)
        last: Literal["region", "whole", "moving"] = "moving" if moving else "whole" if whole else "region"
        after = GateState(state.frames + 1, held, sums, since, still, deviation, last)
        return self._region(None if all_of_it else blocks, moving), after

    def _limits(self, deviation: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The changes of a cell's sum above which it triggers, and above which it stirs, by brightness."""
        floor = self.regions.floor * CELL**2
        wanted = np.floor(np.minimum(self.regions.trigger * noise.filled(deviation), float(MOST * floor)))
        by_noise = wanted.astype(np.int64)
        return np.maximum(by_noise, floor), np.maximum(by_noise * 2 // 3, floor // 4)

    def _faint(
        self, change: NDArray[np.int64], bins: NDArray[np.int64], limits: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Blocks that meet a patch whose mean moved by a part of what triggers, beside others as bright.

        So light that changes is not taken for things that move. The part is a half, in the dark a third.
        """
        patches = _patches(change).sum((1, 3))
        faint = np.zeros(bins.shape, bool)
        for place in range(noise.BINS):
            found = patches[bins == place]
            if len(found):
                middle = np.sort(found, 0)[(len(found) - 1) // 2]
                beside: NDArray[np.int64] = np.max(np.abs(found - middle), 1)
                faint[bins == place] = (3 if place < DARK else 2) * beside > CELL**2 * limits[place]
        cells = np.zeros(change.shape[:2], bool)
        over = faint.repeat(CELL, 0).repeat(CELL, 1)
        cells[: over.shape[0], : over.shape[1]] = over
        return self._of_blocks(cells)

    def _due(self, frame: int) -> NDArray[np.bool_]:
        """The rows of blocks whose turn it is: each has one in every `refresh` frames."""
        first, last = (turn * self.rows // self.regions.refresh for turn in (frame, frame + 1))
        due = np.zeros(self.rows, bool)
        due[np.arange(first, min(last, first + self.rows)) % self.rows] = True
        return due

    def _of_blocks(self, cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether any cell of a block is True."""
        each = self.regions.block // CELL
        padded: NDArray[Any] = np.zeros((self.rows * each, self.columns * each), bool)
        padded[: cells.shape[0], : cells.shape[1]] = cells
        some: NDArray[np.bool_] = np.any(padded.reshape(self.rows, each, self.columns, each), (1, 3))
        return some

    def _of_cells(self, blocks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Every cell as its block."""
        each = self.regions.block // CELL
        rows, columns = (-(-length // CELL) for length in self.size)
        return blocks.repeat(each, 0).repeat(each, 1)[:rows, :columns]

    def _region(self, blocks: NDArray[np.bool_] | None, moving: bool) -> Region:
        whole = np.ones((self.rows, self.columns), bool)
        return Region(
            whole if blocks is None else blocks, blocks is None, moving, self.size, self.regions.block
        )


def check_blocks(regions: Regions, size: tuple[int, int]) -> None:
    """Raise `SchemeError` where a picture of this size is one block, of which no part can be left out."""
    if regions.block >= max(size):
        raise SchemeError(
            f"regions have blocks of {regions.block}×{regions.block} pixels, and the network's input of "
            f"{size[0]}×{size[1]} is one of them: no part of it can be left out; "
            + ("take block=8, or no regions" if max(size) > 8 else "take no regions")
        )


def not_a_picture(picture: NDArray[Any], size: tuple[int, int], channels: int) -> DataError:
    """What refuses a picture of another shape or type than the gate's."""
    want, got = ("×".join(map(str, shape)) for shape in ((*size, channels), picture.shape))
    return DataError(f"the gate takes uint8 {want}; got {picture.dtype} {got}")


def cell_sums(picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The sum of each cell's pixels, h×w×C; a cell at the edge repeats the last row and column."""
    below, right = (-length % CELL for length in picture.shape[:2])
    full = np.pad(picture, ((0, below), (0, right), (0, 0)), mode="edge")
    rows, columns = full.shape[0] // CELL, full.shape[1] // CELL
    sums: NDArray[np.int64] = full.reshape(rows, CELL, columns, CELL, -1).sum((1, 3), dtype=np.int64)
    return sums


def dilated(blocks: NDArray[np.bool_], margin: int) -> NDArray[np.bool_]:
    """The blocks and those at most `margin` rows and columns away."""
    near: NDArray[Any] = blocks
    for axis in range(2):
        length = near.shape[axis]
        reach = min(margin, length)
        places = np.arange(length)[:, None] + np.arange(-reach, reach + 1)
        inside = (places >= 0) & (places < length)
        lines = np.moveaxis(near, axis, 0)[places.clip(0, length - 1)] & inside[:, :, None]
        near = np.moveaxis(np.any(lines, 1), 0, axis)
    return near


def _patches(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cells h×w×… as whole patches of 4×4: h/4 × 4 × w/4 × 4 × …; what is left over at the edge is not in."""
    rows, columns = cells.shape[0] // CELL, cells.shape[1] // CELL
    return cells[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL, *cells.shape[2:])
