"""Set5, Set14, BSD68 and any folder of pictures: super-resolution from bicubically reduced inputs.

    PATH/baby.png, PATH/bird.png, …
    PATH/img_001_SRF_3_HR.png, PATH/img_001_SRF_3_LR.png, …    (only HR is read)

The files are the pictures in high resolution. A picture is cropped to a multiple of the scale, as papers do,
and the input made from it by bicubic interpolation (a = −0.5, antialiased, rounded to 8 bits). MATLAB's
`imresize`, which papers used, differs only at the borders, where it mirrors and Pillow renormalises.
Bevilacqua et al., BMVC 2012 (Set5); Zeyde et al., Curves and Surfaces 2010 (Set14); Martin et al., ICCV 2001,
with the 68 test images of Roth and Black, CVPR 2005 (BSD68).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videoquant.data.dataset import Dataset, Sample
from videoquant.data.images import image_files, read_image
from videoquant.data.sets.files import choose
from videoquant.data.targets import Picture
from videoquant.errors import DataError

SCALES = (2, 3, 4)


def open_super_resolution(name: str, root: Path, split: str | None = None) -> Dataset:
    """The pictures of a folder as "x2" (default), "x3" or "x4".

    name: of the data set, e.g. "set5". Raises `DataError` where there are none, or reduced ones alone.
    """
    splits = tuple(f"x{scale}" for scale in SCALES)
    split = choose(split, splits, "x2", f"{name}:{root}")
    samples = [reduced(file, file.stem, file.stem, 0, int(split[1:])) for file in _originals(root)]
    return Dataset(name, "super-resolution", split, splits, samples)


def reduced(file: Path, name: str, clip: str, index: int, scale: int) -> Sample:
    """A picture as a sample: its pixels are those of `file` reduced by `scale`, its target the original."""
    return Sample(name, clip, index, partial(_read_low, file, scale), partial(_read_high, file, scale))


def _originals(folder: Path) -> list[Path]:
    """All pictures, or, where names tell high resolution (_HR) from what was made of it, only those."""
    files = image_files(folder)
    high = [file for file in files if file.stem.endswith("_HR")]
    low = next((file for file in files if file.stem.endswith("_LR")), None)
    if low and not high:
        raise DataError(f"{low}: is a reduced picture, and {folder} holds no originals *_HR{low.suffix}")
    return high or files


def _read_high(file: Path, scale: int) -> Picture:
    pixels = read_image(file)
    height, width = (side // scale * scale for side in pixels.shape[:2])
    if not height or not width:
        raise DataError(f"{file}: {pixels.shape[0]}×{pixels.shape[1]} is too small to be reduced by {scale}")
    return Picture(pixels[:height, :width], scale)


def _read_low(file: Path, scale: int) -> NDArray[np.uint8]:
    pixels = _read_high(file, scale).pixels
    size = (pixels.shape[1] // scale, pixels.shape[0] // scale)
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
