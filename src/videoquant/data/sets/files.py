"""What the readers of data sets share: parts that must be there, label maps, list files, MATLAB files."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videoquant.data.images import UNREADABLE, image_files
from videoquant.data.targets import LabelMap
from videoquant.errors import DataError, needs_extra
from videoquant.files import check_file, reason

# What scipy raises, beside its own, for a file that is damaged, no MATLAB file, or of version 7.3 (HDF5).
_UNREADABLE_MAT = (
    OSError, ValueError, TypeError, KeyError, IndexError, NotImplementedError, zlib.error,
    struct.error, OverflowError, MemoryError, EOFError,
)  # fmt: skip


def part(root: Path, name: str, of: str) -> Path:
    """The file or folder `name` of a data set. Raises `DataError` where it is missing.

    of: the data set as the message calls it, e.g. "CamVid".
    """
    path = root / name
    if not os.path.exists(path):
        raise DataError(f"{root}: lacks {name}, a part of {of}; give the folder that holds it")
    return path


def choose(split: str | None, splits: Sequence[str], default: str, name: str) -> str:
    """The split to open: the one asked for, else the default. Raises `DataError` for one that is none."""
    if split is not None and split not in splits:
        raise DataError(f"{name} has no split {split!r}; there are {', '.join(splits)}")
    return default if split is None else split


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, by name. Raises `DataError` where it cannot be read."""
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {reason(error)}") from error


def lines(file: Path) -> list[str]:
    """The lines of a text file that are not blank. Raises `DataError` where it cannot be read or is empty."""
    check_file(file, DataError)
    try:
        found = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read: {reason(error)}") from error
    if not found:
        raise DataError(f"{file}: is empty")
    return found


def labelled_images(images: Path, labels: Path) -> list[tuple[Path, Path]]:
    """Every image of a folder with the label map of the same stem.

    Raises `DataError` where one is missing.
    """
    maps = {file.stem: file for file in image_files(labels)}
    files = image_files(images)
    missing = [file.name for file in files if file.stem not in maps]
    if missing:
        raise DataError(f"{labels}: lacks the labels of {len(missing)} of {len(files)} images: {missing[0]}")
    return [(file, maps[file.stem]) for file in files]


def read_label_map(file: Path, image: Path, void: int, ids: NDArray[np.int16] | None = None) -> LabelMap:
    """The label map in `file`, a picture of one channel whose values are ids.

    image: the picture it belongs to.
    void: the id of unlabelled pixels.
    ids: what each value 0–255 of the file stands for, −1 for a value that is no id; None where values are the
        ids and end with `void`.
    Raises `DataError` for a file that is damaged or in colour, of another size than its image, or with an id
    that is none.
    """
    check_file(file, DataError)
    try:
        with Image.open(file) as opened:
            if opened.mode not in ("L", "P", "1"):
                raise DataError(f"{file}: has mode {opened.mode}; labels are ids in one channel of 8 bits")
            values = np.array(opened.convert("L") if opened.mode == "1" else opened)
    except DataError:
        raise
    except UNREADABLE as error:
        raise DataError(f"{file}: cannot be read as labels: {reason(error)}") from error
    height, width = image_size(image)
    if values.shape != (height, width):
        got = f"{values.shape[0]}×{values.shape[1]}"
        raise DataError(f"{file}: labels are {got}, their image {image} is {height}×{width}")
    if ids is not None:
        labels = ids[values]
        if labels.size and labels.min() < 0:
            known = _spans(np.flatnonzero(ids >= 0).tolist())
            raise DataError(f"{file}: has label {values[labels < 0][0]}; ids are {known}")
        return LabelMap(labels.astype(np.uint8), void)
    if values.size and values.max() > void:
        raise DataError(f"{file}: has label {values.max()}; ids are 0–{void}, of which {void} is void")
    return LabelMap(values, void)


def _spans(numbers: list[int]) -> str:
    """Ascending numbers as text: [0, 1, 2, 9] → "0–2, 9"."""
    starts = [number for number in numbers if number - 1 not in numbers]
    stops = [number for number in numbers if number + 1 not in numbers]
    return ", ".join(
        f"{start}–{stop}" if start < stop else str(start) for start, stop in zip(starts, stops, strict=True)
    )


def image_size(file: Path) -> tuple[int, int]:
    """(height, width) of an image, from its header. Raises `DataError` where it cannot be read."""
    check_file(file, DataError)
    try:
        with Image.open(file) as opened:
            return opened.height, opened.width
    except UNREADABLE as error:
        raise DataError(f"{file}: cannot be read: {reason(error)}") from error


def read_mat(file: Path, key: str) -> NDArray[Any]:
    """The variable `key` of a MATLAB file. Raises `DataError` where the file is unusable or lacks it."""
    check_file(file, DataError)
    with needs_extra(str(file)):
        from scipy.io import loadmat, whosmat
        from scipy.io.matlab import MatReadError
    try:
        variables = loadmat(file, variable_names=[key], squeeze_me=True)
        held = [] if key in variables else [name for name, _, _ in whosmat(file)]
    except (MatReadError, *_UNREADABLE_MAT) as error:
        raise DataError(f"{file}: cannot be read as a MATLAB file: {reason(error)}") from error
    if key not in variables:
        raise DataError(f"{file}: lacks the variable {key}; it holds {', '.join(held) or 'nothing'}")
    return np.asarray(variables[key])
