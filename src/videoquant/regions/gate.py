"""The gate at the network's input: which blocks of a frame are computed anew. Equations: docs/regions.md.

A pure function of the frame and of the state that the frames before left, in whole numbers, and float64 in
the order that is written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from videoquant.axes import Regions
from videoquant.errors import DataError
from videoquant.regions import noise
from videoquant.regions.region import Region

CELL = 4  # pixels; the gate compares means of cells of 4×4
OLD = 2**30  # frames since a block was triggered that never was
CUT = 0.75  # share of blocks from which on the frame is computed whole
CALM = 0.5  # share below which a stretch of whole frames ends


@dataclass(frozen=True, eq=False)
class GateState:
    """What the gate knows of the frames before.

    frames: how many there were.
    held: of the pixels that are held, the sum of each cell: int64 h×w×C. None before the first frame.
    before: the same of the frame before.
    since: frames since a block, or one near it, was triggered: int64 Hb×Wb.
    variance: of a cell's sum from frame to frame where nothing moves, by brightness: float64; −1 if unknown.
    last: what the frame before was.
    """

    frames: int
    held: NDArray[np.int64] | None
    before: NDArray[np.int64] | None
    since: NDArray[np.int64]
    variance: NDArray[np.float64]
    last: Literal["region", "whole", "moving"]


class Gate:
    """Decides, frame by frame, which blocks of a network's input are computed anew."""

    def __init__(self, regions: Regions, size: tuple[int, int], channels: int) -> None:
        """regions: the rule's parameters. size: (height, width) of the input. channels: of a picture."""
        self.regions = regions
        self.size = size
        self.channels = channels
        self.rows, self.columns = (-(-length // regions.block) for length in size)

    def first(self) -> GateState:
        """The state before the first frame of a stream, and after a reset."""
        since = np.full((self.rows, self.columns), OLD)
        return GateState(0, None, None, since, np.full(noise.BINS, -1.0), "region")

    def step(self, state: GateState, picture: NDArray[np.uint8]) -> tuple[Region, GateState]:
        """The region of a frame, and the state after it. Neither argument is changed.

        picture: uint8 H×W×C, of the input's size. Raises `DataError` for another shape or type.
        """
        if picture.shape != (*self.size, self.channels) or picture.dtype != np.uint8:
            want = "×".join(map(str, (*self.size, self.channels)))
            got = "×".join(map(str, picture.shape))
            raise DataError(f"the gate takes uint8 {want}; got {picture.dtype} {got}")
        sums = cell_sums(picture)
        if state.held is None or state.before is None:
            return self._region(None, False), GateState(1, sums, sums, state.since, state.variance, "whole")
        bright = noise.bins(state.held, 256 * CELL * CELL)
        moved = np.abs(sums - state.held).max(2)
        far = moved > self._limits(state.variance)[bright]
        triggered = dilated(self._of_blocks(far), self.regions.margin)
        since = np.where(triggered, 0, np.minimum(state.since + 1, OLD))
        blocks = (since <= self.regions.memory) | self._due(state.frames)[:, None]
        # A stretch of whole frames ends with one that is whole too, though little has moved in it.
        much = bool(triggered.mean() >= (CUT if state.last == "region" else CALM))
        whole = much or state.last == "moving"
        moving = much and state.last != "region"
        if much:  # a cut says nothing of what will move next
            since = np.full_like(since, OLD)
        fresh = self._of_cells(blocks | whole)[:, :, None]
        held = np.where(fresh, sums, state.held)
        variance = self._noise(state.before, sums, bright, far, state.variance)
        last: Literal["region", "whole", "moving"] = "moving" if moving else "whole" if whole else "region"
        after = GateState(state.frames + 1, held, sums, since, variance, last)
        return self._region(None if whole else blocks, moving), after

    def _limits(self, variance: NDArray[np.float64]) -> NDArray[np.int64]:
        """The change of a cell's sum that triggers, above which it does, by brightness."""
        wanted = np.floor(self.regions.trigger * np.sqrt(np.maximum(variance, 0.0))).astype(np.int64)
        return np.maximum(wanted, self.regions.floor * CELL * CELL)

    def _due(self, frame: int) -> NDArray[np.bool_]:
        """The rows of blocks whose turn it is: each has one in every `refresh` frames."""
        first, last = (turn * self.rows // self.regions.refresh for turn in (frame, frame + 1))
        due = np.zeros(self.rows, bool)
        due[np.arange(first, min(last, first + self.rows)) % self.rows] = True
        return due

    def _noise(
        self,
        before: NDArray[np.int64],
        sums: NDArray[np.int64],
        bright: NDArray[np.int64],
        far: NDArray[np.bool_],
        variance: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """The noise after a frame: of the cells that moved, but not far. Copied ones say nothing of it."""
        change = np.abs(sums - before).max(2)
        counted = (change > 0) & ~far
        squares = np.zeros(noise.BINS, np.int64)
        np.add.at(squares, bright[counted], change[counted] ** 2)
        return noise.updated(variance, squares, np.bincount(bright[counted], minlength=noise.BINS))

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
