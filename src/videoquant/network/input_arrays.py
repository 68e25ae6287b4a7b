"""A network's input as an array, of what is given: a picture of any kind, or the input itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.errors import DataError
from videoquant.network.frames import as_array, as_pixels, is_tensor
from videoquant.network.preprocessing import Preprocessing


def prepare(
    frame: Any,
    preprocessing: Preprocessing,
    input_shape: Sequence[int],
    name: str = "network",
    check_finite: bool = True,
) -> NDArray[np.float32]:
    """A network's input for a frame: a picture of any kind (`frames.as_pixels`), or the input itself.

    The input itself are floating-point numbers, a tensor or an array, N×C×H×W or C×H×W; integers never are.
    input_shape: N×C×H×W of the network; an input may have another N. name: of the network, for messages.
    check_finite: False where the caller does it himself.
    Returns N×C×H×W, channels last in memory.
    Raises `DataError` for what is neither, or where an input has another shape, or is not finite.
    """
    x = given_input(frame, input_shape)
    if x is None:
        return prepare_picture(frame, preprocessing, input_shape, name)
    check_shape(x.shape, input_shape, name)
    if check_finite and not np.isfinite(x).all():
        raise not_finite(name)
    return _channels_last(x)


def _channels_last(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same N×C×H×W, channels last in memory; a copy unless it lies so already.

    Channel by channel: NumPy takes two to three times as long for all of them at once.
    """
    batch, channels, height, width = x.shape
    if x.transpose(0, 2, 3, 1).flags.c_contiguous:
        return x
    last = np.empty((batch, height, width, channels), np.float32)
    for channel in range(channels):
        last[..., channel] = x[:, channel]
    return last.transpose(0, 3, 1, 2)


def prepare_picture(
    frame: Any, preprocessing: Preprocessing, input_shape: Sequence[int], name: str
) -> NDArray[np.float32]:
    """A network's input 1×C×H×W for a picture of any kind; see `prepare`."""
    _check_channels(preprocessing, input_shape, name)
    return preprocessing.prepare(as_pixels(frame), (input_shape[2], input_shape[3]))


def picture_of(
    frame: Any, preprocessing: Preprocessing, input_shape: Sequence[int], name: str
) -> NDArray[np.uint8]:
    """The bytes that an input is made of, uint8 H×W×C, for a picture of any kind; refuses as `prepare`."""
    _check_channels(preprocessing, input_shape, name)
    return preprocessing.picture(as_pixels(frame), (input_shape[2], input_shape[3]))


def _check_channels(preprocessing: Preprocessing, input_shape: Sequence[int], name: str) -> None:
    if preprocessing.channels != input_shape[1]:
        raise DataError(
            f"{name}: its input has {input_shape[1]} channels, a picture in {preprocessing.color} "
            f"{preprocessing.channels}; the color of one channel is Y, others need an input made by hand"
        )


def given_input(frame: Any, input_shape: Sequence[int]) -> NDArray[np.float32] | None:
    """Floating-point numbers as a network's input, with the first axis that C×H×W lacks; None for others.

    An array in the order of pictures, H×W×C, is none.
    """
    frame = getattr(frame, "pixels", frame)
    if not is_tensor(frame) and not isinstance(frame, np.ndarray):
        return None
    x = as_array(frame)
    if x.dtype.kind != "f":
        return None
    if x.ndim != 4 and not is_tensor(frame) and x.shape != tuple(input_shape[1:]):
        return None
    x = x.astype(np.float32, copy=False)
    return x[None] if x.shape == tuple(input_shape[1:]) else x


def check_shape(shape: Sequence[int], input_shape: Sequence[int], name: str) -> None:
    """Raise `DataError` for an input of a shape, but for N, that the network does not take."""
    if tuple(shape[1:]) != tuple(input_shape[1:]):
        want, got = ("×".join(map(str, shape)) for shape in (input_shape, shape))
        raise DataError(f"{name}: the input must be {want}; got {got}")


def not_finite(name: str) -> DataError:
    """What refuses an input that holds NaN or infinity."""
    return DataError(f"{name}: the input holds NaN or infinity")
