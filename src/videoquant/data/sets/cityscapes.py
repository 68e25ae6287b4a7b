"""Cityscapes: street scenes of 50 cities, 2048×1024, 19 classes; the labelled stills or their snippets.

    PATH/leftImg8bit/SPLIT/CITY/CITY_000000_000019_leftImg8bit.png             (stills)
    PATH/leftImg8bit_sequence/SPLIT/CITY/CITY_000000_000000_leftImg8bit.png    (snippets)
    PATH/gtFine/SPLIT/CITY/CITY_000000_000019_gtFine_labelIds.png

SPLIT is train, val or test. A snippet is the labelled frame with the 19 before and the 10 after it, 17 per
second. Labels are the official label ids, 0–33 and −1 as 255; targets hold the 19 train ids and 255 for void.
Cordts et al.: The Cityscapes dataset for semantic urban scene understanding, CVPR 2016;
github.com/mcordts/cityscapesScripts (labels.py).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from videoquant.data.dataset import Dataset, Sample
from videoquant.data.images import read_image
from videoquant.data.sets.files import choose, part, read_label_map, subfolders
from videoquant.errors import DataError

# Label id and name of the classes that are scored; their order gives the train id.
SCORED = {
    7: "road", 8: "sidewalk", 11: "building", 12: "wall", 13: "fence", 17: "pole", 19: "traffic light",
    20: "traffic sign", 21: "vegetation", 22: "terrain", 23: "sky", 24: "person", 25: "rider", 26: "car",
    27: "truck", 28: "bus", 31: "train", 32: "motorcycle", 33: "bicycle",
}  # fmt: skip
VOID = 255
SNIPPET, LABELLED = 30, 19  # frames of a snippet, and which of them, from 0, is labelled
_SPLITS, _RATE = ("train", "val", "test"), 17.0
# The train id of every label id 0–33 and of −1, the licence plate, which 8 bits hold as 255; `VOID` for what
# is not scored. Other values are no label ids.
_TRAIN_IDS = np.full(256, -1, dtype=np.int16)
_TRAIN_IDS[[*range(34), 255]] = VOID
_TRAIN_IDS[list(SCORED)] = np.arange(len(SCORED))
_IMAGE, _LABELS = "_leftImg8bit.png", "_gtFine_labelIds.png"


def open_cityscapes(root: Path, split: str | None = None) -> Dataset:
    """The labelled stills of "train", "val" (default) or "test".

    Raises `DataError` where a folder, or an image that has labels, is missing.
    """
    split = choose(split, _SPLITS, "val", f"cityscapes:{root}")
    images = part(root, f"leftImg8bit/{split}", "Cityscapes")
    samples = []
    for labels in _label_files(root, split):
        name = labels.name.removesuffix(_LABELS)
        image = images / labels.parent.name / f"{name}{_IMAGE}"
        if not image.is_file():
            raise DataError(f"{image}: is missing, though {labels} labels it")
        samples.append(_sample(name, name, 0, image, labels))
    return _dataset("cityscapes", split, samples)


def open_cityscapes_sequence(root: Path, split: str | None = None) -> Dataset:
    """The snippets of "train", "val" (default) or "test", 30 frames each, the 20th of them labelled.

    Raises `DataError` where a folder is missing, or a frame of a snippet.
    """
    split = choose(split, _SPLITS, "val", f"cityscapes-sequence:{root}")
    images = part(root, f"leftImg8bit_sequence/{split}", "Cityscapes' sequences")
    samples = []
    for labels in _label_files(root, split):
        snippet = labels.name.removesuffix(_LABELS)
        sequence, labelled = snippet.rsplit("_", 1)
        folder = images / labels.parent.name
        for index in range(SNIPPET):
            name = f"{sequence}_{int(labelled) - LABELLED + index:06d}"
            image = folder / f"{name}{_IMAGE}"
            if not image.is_file():
                raise DataError(f"{image}: is missing, frame {index + 1} of the {SNIPPET} around {snippet}")
            samples.append(_sample(name, snippet, index, image, labels if index == LABELLED else None))
    return _dataset("cityscapes-sequence", split, samples)


def _label_files(root: Path, split: str) -> list[Path]:
    folder = part(root, f"gtFine/{split}", "Cityscapes")
    files = [file for city in subfolders(folder) for file in sorted(city.glob(f"[!.]*_*_*{_LABELS}"))]
    if not files:
        raise DataError(f"{folder}: holds no labels CITY/CITY_000000_000019{_LABELS}")
    odd = next((file for file in files if not file.name.removesuffix(_LABELS)[-6:].isdecimal()), None)
    if odd:
        raise DataError(f"{odd}: is not named as Cityscapes' labels are, CITY_000000_000019{_LABELS}")
    return files


def _sample(name: str, clip: str, index: int, image: Path, labels: Path | None) -> Sample:
    target = partial(read_label_map, labels, image, VOID, _TRAIN_IDS) if labels else None
    return Sample(name, clip, index, partial(read_image, image), target)


def _dataset(name: str, split: str, samples: list[Sample]) -> Dataset:
    return Dataset(name, "segmentation", split, _SPLITS, samples, tuple(SCORED.values()), _RATE)
