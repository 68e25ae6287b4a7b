"""How the engine sees shapes: every value is h×w×c, pixels in rows, channels last, one frame at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int, int]  # height, width, channels
LONGEST = 32768  # rows and columns that a slot may have


def size_of(shape: Sequence[int]) -> Size | None:
    """The h×w×c of a value 1×C×H×W, or 1×C (also 1×C×1), which is one pixel. None for other shapes."""
    if 0 in shape or shape[0] != 1:
        return None
    match tuple(shape[1:]):
        case (channels,) | (channels, 1):
            return 1, 1, channels
        case (channels, height, width):
            return height, width, channels
    return None


def channels_last(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """A value 1×C×H×W, or of one pixel, as an array h×w×c in C order; a copy unless it lies so already."""
    return np.ascontiguousarray(x[0].transpose(1, 2, 0) if x.ndim == 4 else x.reshape(1, 1, -1))


def channels_first(
    array: NDArray[np.float32], shape: Sequence[int], order: Sequence[int] | None = None
) -> NDArray[np.float32]:
    """An array h×w×c as the network has the value, mostly on the same memory.

    shape: the network's, 1×C×H×W or 1×C; or any, where `order` has its dimensions in the order of memory.
    """
    if order is None:
        return array.transpose(2, 0, 1).reshape(tuple(shape))
    places = [tuple(order).index(dim) for dim in range(len(shape))]
    return array.reshape([shape[dim] for dim in order]).transpose(places)


def broadcasts(operand: Size, size: Size) -> bool:
    """Whether an operand stands for a value of `size`: one pixel or all of them, one channel or all."""
    return operand[:2] in ((1, 1), size[:2]) and operand[2] in (1, size[2])
