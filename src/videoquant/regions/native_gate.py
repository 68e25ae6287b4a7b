"""The gate in native code: the same regions as `Gate`, to the last bit, in a hundredth of the time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from videoquant import _native
from videoquant.axes import Regions
from videoquant.regions.gate import check_blocks, not_a_picture
from videoquant.regions.region import Region


class NativeGate:
    """`Gate` for streams that run; its states are native."""

    def __init__(self, regions: Regions, size: tuple[int, int], channels: int) -> None:
        """Arguments and errors as of `Gate`."""
        check_blocks(regions, size)
        self.regions = regions
        self.size = size
        self.channels = channels
        self._gate = _native.Gate(
            regions.trigger,
            regions.floor,
            regions.margin,
            regions.memory,
            regions.rest,
            regions.refresh,
            regions.block,
            *size,
            channels,
        )

    def first(self) -> _native.GateState:
        """The state before the first frame of a stream, and after a reset."""
        return self._gate.first()

    def step(self, state: _native.GateState, picture: NDArray[np.uint8]) -> tuple[Region, _native.GateState]:
        """The region of a frame, and the state after it. Neither argument is changed.

        picture: uint8 H×W×C, of the input's size. Raises `DataError` for another shape or type.
        """
        if picture.shape != (*self.size, self.channels) or picture.dtype != np.uint8:
            raise not_a_picture(picture, self.size, self.channels)
        blocks, whole, moving, after = self._gate.step(state, np.ascontiguousarray(picture))
        return Region(blocks, whole, moving, self.size, self.regions.block), after
