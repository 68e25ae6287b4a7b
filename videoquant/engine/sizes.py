"""How the engine sees shapes: every value is h×w×c, pixels in rows, channels last, one frame at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Size = tuple[int, int, int]  # height, width, channels


def size_of(shape: Sequence[int]) -> Size | None:
    """The h×w×c of a value 1×C×H×W, or 1×C, which is one pixel. None for every other shape."""
    if len(shape) not in (2, 4) or shape[0] != 1 or 0 in shape:
        return None
    return (shape[2], shape[3], shape[1]) if len(shape) == 4 else (1, 1, shape[1])


def channels_last(x: Tensor) -> NDArray[np.float32]:
    """A value 1×C×H×W or 1×C as an array h×w×c in C order, without a copy where it lies so already."""
    pixels = x[0].permute(1, 2, 0) if x.dim() == 4 else x.view(1, 1, -1)
    array: NDArray[np.float32] = pixels.contiguous().numpy()
    return array


def broadcasts(operand: Size, size: Size) -> bool:
    """Whether an operand stands for a value of `size`: one pixel or all of them, one channel or all."""
    return operand[:2] in ((1, 1), size[:2]) and operand[2] in (1, size[2])
