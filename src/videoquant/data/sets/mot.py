"""MOTChallenge's format: videos in which every frame has boxes that are numbered through the video.

    PATH/train/MOT17-02/img1/000001.jpg …
    PATH/train/MOT17-02/gt/gt.txt      (frame, track, left, top, width, height, counts, class, visibility)
    PATH/train/MOT17-02/seqinfo.ini    (frameRate=30)

A box counts where its seventh number is 1 and its class, where there is one, is 1, a pedestrian; where it
does not, what is found there counts neither way. Frames and pixels count from 1 in these files. Boxes reach
past the edges of the picture, as people do; those of which nothing is seen are left out. PATH may also be the
folder of one video. Splits are "train" and "test", which has no labels. Milan et al.: MOT16, arXiv
1603.00831; motchallenge.net.
"""

from __future__ import annotations

import configparser
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videoquant.data.clip import DEFAULT_RATE
from videoquant.data.dataset import Dataset, Sample
from videoquant.data.images import image_files, read_image
from videoquant.data.sets.files import choose, image_size, lines, part, subfolders
from videoquant.data.targets import Objects
from videoquant.errors import DataError

LABELS = ("person",)
_SPLITS = ("train", "test")
_PEDESTRIAN = (1, -1)  # MOT15 has no classes, and −1 there


def open_mot(root: Path, split: str | None = None) -> Dataset:
    """The videos of "train" (default) or "test", by name, or the only one where `root` is its folder.

    Raises `DataError` where a part is missing; for lines that are no box, at their frame's turn.
    """
    if (root / "img1").is_dir():
        if split is not None:
            raise DataError(f"mot:{root} is one video, which has no splits")
        split, videos = "train", [root]
    else:
        split = choose(split, _SPLITS, "train", f"mot:{root}")
        videos = subfolders(part(root, split, "a data set in MOTChallenge's format"))
    samples, rates = [], {_rate(video) for video in videos}
    for video in videos:
        labels = video / "gt" / "gt.txt"
        if not labels.is_file() and split != "test":
            raise DataError(f"{video}: lacks gt/gt.txt, the boxes of its frames")
        for index, image in enumerate(image_files(part(video, "img1", "MOTChallenge's format"))):
            target = partial(_objects, labels, index + 1, image) if labels.is_file() else None
            name = f"{video.name}/{image.stem}"
            samples.append(Sample(name, video.name, index, partial(read_image, image), target))
    rate = rates.pop() if len(rates) == 1 else DEFAULT_RATE
    return Dataset("mot", "detection", split, _SPLITS, samples, LABELS, rate)


def _rate(video: Path) -> float:
    """Frames per second, as seqinfo.ini says."""
    info = configparser.ConfigParser()
    try:
        info.read(video / "seqinfo.ini", encoding="utf-8")
        return info.getfloat("Sequence", "frameRate", fallback=DEFAULT_RATE)
    except (configparser.Error, ValueError, UnicodeDecodeError):
        raise DataError(
            f"{video / 'seqinfo.ini'}: is damaged; it should hold frameRate=30 and the like"
        ) from None


def _objects(file: Path, frame: int, image: Path) -> Objects:
    rows = _boxes(file).get(frame, np.zeros((0, 7)))
    height, width = image_size(image)
    corners = np.concatenate([rows[:, 1:3] - 1, rows[:, 1:3] - 1 + rows[:, 3:5]], 1)
    corners = corners.clip(0, np.array([width, height] * 2))
    seen = (corners[:, 2:] > corners[:, :2]).all(1)
    ignored = (rows[:, 5] == 0) | ~np.isin(rows[:, 6], _PEDESTRIAN)
    return Objects(
        corners[seen].astype(np.float32),
        np.zeros(int(seen.sum()), np.int64),
        ignored[seen],
        rows[seen, 0].astype(np.int64),
    )


@lru_cache(maxsize=4)
def _boxes(file: Path) -> dict[int, NDArray[np.float64]]:
    """By frame: track, left, top, width, height, counts, class. A video's frames are read in turn."""
    found: dict[int, list[list[float]]] = {}
    for number, line in enumerate(lines(file), 1):
        try:
            values = [float(part) for part in line.split(",")]
        except ValueError:
            values = []
        if not 7 <= len(values) <= 10 or values[0] < 1 or not np.isfinite(values).all():
            raise DataError(
                f"{file}, line {number}: {line[:60]!r} is not frame, track, left, top, width, height, 1"
            )
        kind = values[7] if len(values) == 9 else -1.0
        found.setdefault(int(values[0]), []).append([*values[1:7], kind])
    return {frame: np.array(rows) for frame, rows in found.items()}
