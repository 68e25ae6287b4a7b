"""JHMDB: 928 clips of one acting person, 320×240, 15–40 frames each, every frame with 15 joints.

    PATH/Rename_Images/ACTION/VIDEO/00001.png …
    PATH/joint_positions/ACTION/VIDEO/joint_positions.mat    (pos_img: 2×15×frames, x and y in pixels from 1)
    PATH/splits/ACTION_test_split1.txt                       (lines "VIDEO.avi 1": 1 trains, 2 tests)

Splits are "train1", "test1" and so on to 3. Joints outside the frame are annotated too; no metric counts
them. The box, whose longer side is the unit of PCK, is the smallest around the joints that are in the frame.
Jhuang et al.: Towards understanding action recognition, ICCV 2013; jhmdb.is.tue.mpg.de.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videoquant.data.dataset import Dataset, Sample
from videoquant.data.images import image_files, read_image
from videoquant.data.sets.files import choose, image_size, lines, part, read_mat
from videoquant.data.targets import Joints
from videoquant.errors import DataError

JOINTS = (
    "neck", "belly", "face", "right shoulder", "left shoulder", "right hip", "left hip", "right elbow",
    "left elbow", "right knee", "left knee", "right wrist", "left wrist", "right ankle", "left ankle",
)  # fmt: skip
_SPLITS = tuple(f"{part}{number}" for number in (1, 2, 3) for part in ("train", "test"))
_RATE = 30.0


def open_jhmdb(root: Path, split: str | None = None) -> Dataset:
    """The videos of "test1" (default), "train1" … "train3", by action and name; all frames are labelled.

    Raises `DataError` where a folder, a split's files, a video or its joints are missing.
    """
    split = choose(split, _SPLITS, "test1", f"jhmdb:{root}")
    frames = part(root, "Rename_Images", "JHMDB")
    joints = part(root, "joint_positions", "JHMDB")
    number, use = split[-1], "1" if split.startswith("train") else "2"
    lists = sorted(part(root, "splits", "JHMDB").glob(f"[!.]*_test_split{number}.txt"))
    if not lists:
        raise DataError(f"{root / 'splits'}: holds no ACTION_test_split{number}.txt")
    samples = []
    for file in lists:
        action = file.name.removesuffix(f"_test_split{number}.txt")
        for video in _videos(file, use):
            folder = part(frames, f"{action}/{video}", "JHMDB")
            positions = part(joints, f"{action}/{video}/joint_positions.mat", "JHMDB")
            samples += [
                Sample(
                    f"{action}/{video}/{image.stem}",
                    f"{action}/{video}",
                    index,
                    partial(read_image, image),
                    partial(_read_joints, positions, index, image),
                )
                for index, image in enumerate(image_files(folder))
            ]
    if not samples:
        raise DataError(f"{root / 'splits'}: no ACTION_test_split{number}.txt lists a video of {split}")
    return Dataset("jhmdb", "pose", split, _SPLITS, samples, JOINTS, _RATE)


def _videos(file: Path, use: str) -> list[str]:
    """The videos of a split file that train ("1") or test ("2"), sorted."""
    videos = []
    for line in lines(file):
        video, _, mark = line.rpartition(" ")
        if mark not in ("0", "1", "2") or not video:
            raise DataError(f"{file}: has the line {line!r}; lines are VIDEO.avi and 1 to train or 2 to test")
        if mark == use:
            videos.append(video.strip().removesuffix(".avi"))
    return sorted(videos)


def _read_joints(file: Path, index: int, image: Path) -> Joints:
    positions = _positions(file)
    if index >= positions.shape[2]:
        raise DataError(f"{file}: has joints for {positions.shape[2]} frames; {image} is frame {index + 1}")
    points = positions[:, :, index].T
    height, width = image_size(image)
    inside: NDArray[np.bool_] = np.all((points >= -0.5) & (points < np.array([width, height]) - 0.5), axis=1)
    seen = points[inside] if inside.any() else points
    low, high = seen.min(0), seen.max(0)
    box = (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
    return Joints(points, inside, box)


@lru_cache(maxsize=4)
def _positions(file: Path) -> NDArray[np.float32]:
    """float32 2×15×frames, from 0. Frames of a video are read in turn, so the last files are kept."""
    positions = read_mat(file, "pos_img")
    if positions.ndim == 2:  # of a single frame
        positions = positions[:, :, None]
    if positions.shape[:2] != (2, len(JOINTS)):
        shape = "×".join(map(str, positions.shape))
        raise DataError(f"{file}: pos_img is {shape}; it should be 2×{len(JOINTS)}×frames")
    points: NDArray[np.float32] = positions.astype(np.float32) - 1
    return points
