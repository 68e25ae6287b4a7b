"""Image files: which of a folder are read, in which order, and how each becomes RGB pixels."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videoquant.errors import DataError, refused_as
from videoquant.files import check_file, reason
from videoquant.limits import check_size
from videoquant.network.frames import image_pixels

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp", ".tif", ".tiff")

# What Pillow's readers raise for a file that is damaged or is no image, depending on the format.
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)

_header_lock = Lock()


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
    """An image as uint8 RGB, H×W×3, upright; see `network.frames.image_pixels`. Of several the first.

    Raises `DataError` for a file that is no image or is damaged, for floating-point pixels, whose range
    nobody knows, and for one that asks for more memory than `limits` allow.
    """
    check_file(file, DataError)
    damaged = f"{file}: is damaged or no image"
    with refused_as(DataError, damaged):
        try:
            with _opened(file) as image:
                size = f"{file}: {image.height}×{image.width} pixels"
                check_size(3 * image.width * image.height, size, DataError)
                return image_pixels(image, str(file))
        except (PermissionError, FileNotFoundError) as error:
            raise DataError(f"{file}: cannot be read: {reason(error)}") from error
        except UNREADABLE as error:
            if isinstance(error, DataError):
                raise
            raise DataError(damaged) from error


def _opened(file: Path) -> Image.Image:
    """Read an image's header. Pillow's limit of its size gives way to `limits`, which one can lift."""
    with _header_lock:
        pixels, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file)
        finally:
            Image.MAX_IMAGE_PIXELS = pixels


def _natural(name: str) -> list[str | int]:
    """A key that compares runs of digits as numbers; text and numbers alternate, so they never meet."""
    return [int(part) if part.isdecimal() else part.lower() for part in re.split(r"(\d+)", name)]
