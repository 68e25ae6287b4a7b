"""What people give as a frame, as RGB pixels: arrays and tensors of bytes, Pillow's pictures, PyAV's frames.

Taken is what can mean one thing only; docs/data.md has the table. Where the range of numbers is not known
(floating point, 16 bits), guessing it frame by frame would turn a dark frame of a clip bright, and an array
of one channel is as often a mask or a depth as a grey picture: those are refused.
"""

from __future__ import annotations

import os
import sys
from io import BytesIO
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, features

from videoquant.errors import DataError, refused_as
from videoquant.network.video_frame import upright_pixels

CHANNELS = (3, 4)  # RGB, RGB with transparency
TAKEN = (
    "give uint8 pixels H×W×3 (RGB), a picture of Pillow, a frame of PyAV, or the network's input as floats"
)


def as_pixels(frame: Any) -> NDArray[np.uint8]:
    """A frame as uint8 RGB, H×W×3, which may share its memory. Raises `DataError` for what is no picture.

    frame: what has `.pixels`; a `PIL.Image.Image`; an `av.VideoFrame`; integers 0..255 as an array, a tensor
        or nested lists of shape H×W×C or C×H×W, or with a first axis of 1, where C is 3 or 4, whose fourth is
        transparency and dropped.
    """
    frame = getattr(frame, "pixels", frame)
    if isinstance(frame, Image.Image):
        with refused_as(DataError, "a frame is a picture of Pillow that cannot be read"):
            return image_pixels(frame, "a frame")
    if isinstance(frame, av.VideoFrame):
        with refused_as(DataError, "a frame is one of PyAV that cannot be turned into RGB"):
            return upright_pixels(frame)
    return _rgb(_bytes(as_array(frame)))


def as_array(frame: Any) -> NDArray[Any]:
    """An array, a tensor, or what NumPy makes one of, as an array. Raises `DataError` for anything else."""
    if isinstance(frame, str | os.PathLike):
        raise DataError(f"a frame must be pixels; got a path: videoquant.frames({str(frame)!r}) reads it")
    if frame is None or isinstance(frame, bytes | bytearray | dict):
        raise DataError(f"a frame must be pixels; got {type(frame).__name__}: {TAKEN}")
    if is_tensor(frame):
        frame = frame.detach().cpu()
        return np.asarray(frame.float() if frame.is_floating_point() else frame)
    with refused_as(DataError, f"a frame must be pixels; got {type(frame).__name__}"):
        array = np.asanyarray(frame)
    if isinstance(array, np.ma.MaskedArray):
        if np.ma.is_masked(array):
            raise DataError("a frame is an array with masked pixels; fill them first: frame.filled(0)")
        return np.asarray(array.data)
    return np.asarray(array)


def is_tensor(frame: Any) -> bool:
    """Whether it is one of PyTorch's tensors. PyTorch is not imported for that: who has one has done so."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(frame, torch.Tensor)


def image_pixels(image: Image.Image, what: str) -> NDArray[np.uint8]:
    """A picture of Pillow as uint8 RGB, H×W×3, turned upright as its EXIF orientation says.

    Grey, palette and CMYK become RGB, by the colour profile (ICC) that it carries if that is another than
    sRGB's; transparency is dropped, and of 16 bits the upper 8 are kept. Raises `DataError`, which begins
    with `what`, for pixels whose range nobody knows.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image = Image.fromarray(_upper_bits(what, np.asarray(image)))
    if image.mode == "F":
        raise DataError(f"{what}: has floating-point pixels; save it with 8 or 16 bits per channel")
    if "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns of the way from a palette to RGB
    return np.array(_in_srgb(image).convert("RGB"))


def _in_srgb(image: Image.Image) -> Image.Image:
    """Apply the picture's colour profile. One that is damaged, or is for other pixels, is ignored."""
    stated = image.info.get("icc_profile")
    if not stated or not features.check("littlecms2"):
        return image
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode in ("1", "LA") else "RGB")
    try:
        profile = ImageCms.getOpenProfile(BytesIO(stated))
        if "sRGB" in ImageCms.getProfileDescription(profile):
            return image
        converted = ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted or image


def _upper_bits(what: str, samples: NDArray[np.integer]) -> NDArray[np.uint8]:
    """8 bits of 16. Pillow gives 16-bit grey as int32 for some formats, and would clip it to 255."""
    if samples.size and not 0 <= samples.min() <= samples.max() < 2**16:
        raise DataError(f"{what}: has 32-bit pixels; save it with 8 or 16 bits per channel")
    return (samples >> 8).astype(np.uint8)


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Integers of other types as uint8 where that loses nothing."""
    if array.dtype == np.uint8:
        return array
    shape = "×".join(map(str, array.shape))
    got = f"a frame must be uint8 pixels, 0..255; got {array.dtype} {shape or 'without a shape'}"
    if array.dtype.kind not in "iu" or array.dtype == np.uint16:
        hint = {
            "f": "if they are 0..1: (frame * 255).round().astype(np.uint8)",
            "u": "if all 16 bits are used: (frame >> 8).astype(np.uint8)",
            "b": "if True is white: frame.astype(np.uint8) * 255",
        }
        raise DataError(f"{got}; {hint.get(array.dtype.kind, TAKEN)}")
    if array.size and not 0 <= array.min() <= array.max() <= 255:
        raise DataError(f"{got} from {array.min()} to {array.max()}")
    return array.astype(np.uint8)


def _rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring axes into the order H×W×3."""
    shape = "×".join(map(str, pixels.shape))
    refusal = f"a frame must be uint8 of shape H×W×3 (RGB); got {shape or 'a number'}"
    if pixels.ndim == 4 and pixels.shape[0] == 1:
        pixels = pixels[0]
    if pixels.ndim == 4:
        raise DataError(f"{refusal}; give the frames of a batch one after the other")
    if pixels.ndim == 3 and pixels.shape[2] not in CHANNELS and pixels.shape[0] in CHANNELS:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] in CHANNELS:
        if pixels.size == 0:
            raise DataError(f"a frame of {shape} has no pixels")
        return pixels[..., :3]
    if pixels.ndim in (2, 3):
        refusal += "; if it is grey, H×W: np.stack([grey] * 3, axis=-1)"
    raise DataError(refusal)
