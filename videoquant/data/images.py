"""Image files: which of a folder are read, in which order, and how each becomes RGB pixels."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from videoquant.errors import DataError
from videoquant.files import check_file, reason

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp", ".tif", ".tiff")

# What Pillow's readers raise for a file that is damaged or is no image, depending on the format.
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)


def image_files(folder: Path) -> list[Path]:
    """The images that lie in `folder` itself, in natural order: frame2 before frame10.

    Images are told by their suffix (`SUFFIXES`, in either case); names that begin with a dot are left out.
    Raises `DataError` where there is none, or the folder cannot be read.
    """
    try:
        files = [file for file in folder.iterdir() if is_image(file) and file.is_file()]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {reason(error)}") from error
    if not files:
        read = ", ".join(suffix[1:] for suffix in SUFFIXES)
        raise DataError(f"{folder}: holds no images; read are {read}, not those of folders below it")
    return sorted(files, key=lambda file: (_natural(file.name), file.name))


def is_image(file: Path) -> bool:
    """Whether a file's name is that of an image."""
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


def read_image(file: Path) -> NDArray[np.uint8]:
    """An image as uint8 RGB, H×W×3, turned upright as its EXIF orientation says.

    Grey and palette images become RGB, transparency is dropped, of 16 bits the upper 8 are kept, and of an
    animation the first picture. Raises `DataError` for a file that is no image or is damaged, and for
    floating-point pixels, whose range nobody knows.
    """
    check_file(file, DataError)
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I"):
                image = Image.fromarray(_upper_bits(file, np.asarray(image)))
            if image.mode == "F":
                raise DataError(f"{file}: has floating-point pixels; save it with 8 or 16 bits per channel")
            return np.array(image.convert("RGB"))
    except DataError:
        raise
    except UNREADABLE as error:
        if isinstance(error, PermissionError | FileNotFoundError):
            raise DataError(f"{file}: cannot be read: {reason(error)}") from error
        raise DataError(f"{file}: is damaged or no image") from error


def _upper_bits(file: Path, samples: NDArray[np.integer]) -> NDArray[np.uint8]:
    """8 bits of 16. Pillow gives 16-bit grey as int32 for some formats, and would clip it to 255."""
    if samples.size and not 0 <= samples.min() <= samples.max() < 2**16:
        raise DataError(f"{file}: has 32-bit pixels; save it with 8 or 16 bits per channel")
    return (samples >> 8).astype(np.uint8)


def _natural(name: str) -> list[str | int]:
    """A key that compares runs of digits as numbers; text and numbers alternate, so they never meet."""
    return [int(part) if part.isdecimal() else part.lower() for part in re.split(r"(\d+)", name)]
