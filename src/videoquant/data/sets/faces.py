"""Faces with landmarks: COFW, WFLW and 300W.

COFW, 29 points, many faces occluded (Burgos-Artizzu, Perona, Dollár: Robust face landmark estimation under
occlusion, ICCV 2013; its colour edition, HDF5 files of MATLAB 7.3, which need h5py):

    PATH/COFW_train_color.mat (IsTr, phisTr)   PATH/COFW_test_color.mat (IsT, phisT)

WFLW, 98 points (Wu et al.: Look at boundary, CVPR 2018; wywu.github.io/projects/LAB/WFLW.html):

    PATH/WFLW_images/EVENT/IMAGE.jpg
    PATH/WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt, …_train.txt

300W, 68 points (Sagonas et al.: 300 faces in-the-wild challenge, ICCV Workshops 2013;
ibug.doc.ic.ac.uk/resources/300-W), every image with a .pts file beside it:

    PATH/afw, PATH/helen/trainset, PATH/helen/testset, PATH/lfpw/trainset, PATH/lfpw/testset, PATH/ibug,
    PATH/300W/01_Indoor, PATH/300W/02_Outdoor

COFW and 300W count pixels from 1, WFLW from 0; targets count from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.data.dataset import Dataset, Sample
from videoquant.data.images import image_files, read_image
from videoquant.data.sets.files import choose, lines, part
from videoquant.data.targets import Landmarks
from videoquant.errors import DataError
from videoquant.files import check_file, reason

# The outer corners of the eyes, from 0.
COFW_EYES, WFLW_EYES, W300_EYES = (8, 9), (60, 72), (36, 45)
COFW_POINTS, WFLW_POINTS, W300_POINTS = 29, 98, 68

# The folders of each split of 300W, as papers use them.
W300_SPLITS = {
    "train": ("afw", "helen/trainset", "lfpw/trainset"),
    "common": ("helen/testset", "lfpw/testset"),
    "challenging": ("ibug",),
    "full": ("helen/testset", "lfpw/testset", "ibug"),
    "test": ("300W/01_Indoor", "300W/02_Outdoor"),
}


def open_cofw(root: Path, split: str | None = None) -> Dataset:
    """COFW's "test" (default) or "train".

    Raises `DataError` where the file, a key, a picture or h5py is missing, or the file is damaged.
    """
    split = choose(split, ("train", "test"), "test", f"cofw:{root}")
    file = part(root, f"COFW_{split}_color.mat", "COFW")
    end = "Tr" if split == "train" else "T"
    with _hdf5(file) as opened:
        for key in (f"Is{end}", f"phis{end}"):
            if key not in opened:
                raise DataError(
                    f"{file}: lacks the variable {key}; it holds {', '.join(opened) or 'nothing'}"
                )
        # MATLAB writes columns first, so HDF5 sees every array transposed: 87×N, x, y and occlusion of each.
        numbers = np.array(opened[f"phis{end}"], dtype=np.float32).T
        count = opened[f"Is{end}"].size
    if not count:
        raise DataError(f"{file}: holds no pictures")
    if numbers.shape != (count, 3 * COFW_POINTS):
        raise DataError(
            f"{file}: phis{end} is {'×'.join(map(str, numbers.shape))}; "
            f"it should be {count}×{3 * COFW_POINTS}, as there are {count} pictures"
        )
    samples = [
        Sample(
            f"{index:04d}",
            f"{index:04d}",
            0,
            partial(_read_cofw_picture, file, f"Is{end}", index),
            partial(_cofw_landmarks, row),
        )
        for index, row in enumerate(numbers)
    ]
    return Dataset("cofw", "landmarks", split, ("train", "test"), samples)


def open_wflw(root: Path, split: str | None = None) -> Dataset:
    """WFLW's "test" (default) or "train", a sample per face; a picture may show several.

    Raises `DataError` where a part is missing or a line of the list is malformed.
    """
    split = choose(split, ("train", "test"), "test", f"wflw:{root}")
    images = part(root, "WFLW_images", "WFLW")
    name = f"list_98pt_rect_attr_{split}.txt"
    file = part(root, f"WFLW_annotations/list_98pt_rect_attr_train_test/{name}", "WFLW")
    samples = []
    for number, line in enumerate(lines(file), 1):
        # 98 points as x y, the box as left top right bottom, six attributes, and the image's name.
        parts = line.split(maxsplit=2 * WFLW_POINTS + 10)
        try:
            values = np.array([float(text) for text in parts[: 2 * WFLW_POINTS]], dtype=np.float32)
        except ValueError:
            values = np.empty(0, dtype=np.float32)
        if len(parts) != 2 * WFLW_POINTS + 11 or len(values) != 2 * WFLW_POINTS:
            raise DataError(
                f"{file}: line {number} is malformed; it should hold 206 numbers and an image's name"
            )
        face = f"{number - 1:05d} {parts[-1]}"
        points = values.reshape(-1, 2)
        target = partial(Landmarks, points, WFLW_EYES, np.ones(WFLW_POINTS, dtype=np.bool_))
        samples.append(Sample(face, face, 0, partial(read_image, images / parts[-1]), target))
    return Dataset("wflw", "landmarks", split, ("train", "test"), samples)


def open_300w(root: Path, split: str | None = None) -> Dataset:
    """300W's "full" (default), its parts "common" and "challenging", "test" or "train" (`W300_SPLITS`).

    Raises `DataError` where a folder or an image's .pts file is missing.
    """
    split = choose(split, tuple(W300_SPLITS), "full", f"300w:{root}")
    samples = []
    for folder in W300_SPLITS[split]:
        for image in image_files(part(root, folder, f"300W's split {split}")):
            points = image.with_suffix(".pts")
            if not points.is_file():
                raise DataError(f"{points}: is missing, the landmarks of {image.name}")
            name = f"{folder}/{image.stem}"
            samples.append(Sample(name, name, 0, partial(read_image, image), partial(_read_pts, points)))
    return Dataset("300w", "landmarks", split, tuple(W300_SPLITS), samples)


def _read_pts(file: Path) -> Landmarks:
    """Landmarks of a .pts file: a header, then a line "x y" per point between braces."""
    text = " ".join(lines(file))
    try:
        numbers = [float(word) for word in text[text.index("{") + 1 : text.index("}")].split()]
    except ValueError:
        numbers = []
    if len(numbers) != 2 * W300_POINTS:
        raise DataError(f"{file}: holds no {W300_POINTS} points x y between braces")
    points = np.array(numbers, dtype=np.float32).reshape(-1, 2) - 1
    return Landmarks(points, W300_EYES, np.ones(W300_POINTS, dtype=np.bool_))


def _cofw_landmarks(row: NDArray[np.float32]) -> Landmarks:
    x, y, occluded = row.reshape(3, COFW_POINTS)
    return Landmarks(np.stack([x, y], 1) - 1, COFW_EYES, occluded < 0.5)


def _read_cofw_picture(file: Path, key: str, index: int) -> NDArray[np.uint8]:
    with _hdf5(file) as opened:
        # A cell array is a list of references; a picture is 3×W×H, or W×H where it is grey.
        reference = opened[key][()].flat[index]
        pixels = np.array(opened[reference], dtype=np.uint8).T
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise DataError(f"{file}: picture {index} has the shape {pixels.shape}; it should be H×W×3")
    return np.ascontiguousarray(pixels)


@contextmanager
def _hdf5(file: Path) -> Iterator[Any]:
    """The file opened by h5py, which only COFW needs and which is no dependency of this package.

    A damaged file may open well and fail at any access, so what h5py raises in the block is `DataError` too.
    """
    try:
        import h5py
    except ImportError:
        raise DataError(f"{file}: is an HDF5 file; run `pip install h5py` to read it") from None
    check_file(file, DataError)
    try:
        with h5py.File(file, "r") as opened:
            yield opened
    except DataError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        raise DataError(f"{file}: cannot be read as HDF5: {reason(error)}") from error
