"""ImageNet validation: 50 000 photographs of 1000 classes, in any of three layouts.

As it is downloaded, the images flat (in PATH or PATH/val) beside the development kit:

    PATH/ILSVRC2012_val_00000001.JPEG …
    PATH/ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt, meta.mat

Sorted into a folder per synset (in PATH or PATH/val), as training code expects it:

    PATH/n01440764/ILSVRC2012_val_00000293.JPEG …

A sample, flat, with the synset as the first part of the file name:

    PATH/n01440764_tench.jpg …   PATH/synsets.txt

The class of a picture is the position of its synset in order of the names, 0–999, as networks have it; the
numbers of the development kit follow another order, which its meta.mat resolves. A `synsets.txt`, one synset
a line, replaces the order; folders need it where they are not all 1000.
Russakovsky et al.: ImageNet large scale visual recognition challenge, IJCV 2015; image-net.org.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from videoquant.data.dataset import Dataset, Sample
from videoquant.data.images import image_files, read_image
from videoquant.data.sets.files import choose, lines, part, read_mat, subfolders
from videoquant.data.targets import ClassLabel
from videoquant.errors import DataError

CLASSES = 1000
_SYNSET = re.compile(r"(n\d{8})(?:_.*)?")
_NUMBERED = re.compile(r"ILSVRC2012_val_(\d{8})")


def open_imagenet(root: Path, split: str | None = None) -> Dataset:
    """The validation images, split "val", by name; their `labels` are the synsets.

    Raises `DataError` where labels or images are missing, or a picture's synset is unknown.
    """
    split = choose(split, ("val",), "val", f"imagenet:{root}")
    images = root / "val" if (root / "val").is_dir() else root
    folders = [folder for folder in subfolders(images) if _SYNSET.fullmatch(folder.name)]
    if folders:
        synsets = _synsets(root, [folder.name for folder in folders])
        files = [(file, folder.name) for folder in folders for file in image_files(folder)]
    else:
        found = image_files(images)
        if _NUMBERED.fullmatch(found[0].stem):
            synsets, files = _development_kit(root, found)
        else:
            synsets, files = lines(part(root, "synsets.txt", "an ImageNet sample")), _named(found)
    classes = {synset: index for index, synset in enumerate(synsets)}
    unknown = next(((file, synset) for file, synset in files if synset not in classes), None)
    if unknown:
        raise DataError(f"{unknown[0]}: its synset {unknown[1]} is not in {root / 'synsets.txt'}")
    samples = [
        Sample(file.stem, file.stem, 0, partial(read_image, file), partial(ClassLabel, classes[synset]))
        for file, synset in files
    ]
    return Dataset("imagenet", "classification", split, ("val",), samples, tuple(synsets))


def _synsets(root: Path, folders: list[str]) -> list[str]:
    """The classes in order, of a layout with a folder each."""
    if (root / "synsets.txt").is_file():
        return lines(root / "synsets.txt")
    if len(folders) != CLASSES:
        raise DataError(
            f"{root}: holds the folders of {len(folders)} of {CLASSES} synsets; "
            "add synsets.txt, all synsets in order, for their classes"
        )
    return sorted(folders)


def _named(files: list[Path]) -> list[tuple[Path, str]]:
    named = []
    for file in files:
        match = _SYNSET.fullmatch(file.stem)
        if not match:
            raise DataError(f"{file}: its name begins with no synset, e.g. n01440764_tench.jpg")
        named.append((file, match[1]))
    return named


def _development_kit(root: Path, files: list[Path]) -> tuple[list[str], list[tuple[Path, str]]]:
    """The classes in order, and every numbered image with its synset."""
    kit = "ILSVRC2012_devkit_t12/data"
    truth_file = part(root, f"{kit}/ILSVRC2012_validation_ground_truth.txt", "ImageNet's validation set")
    meta_file = part(root, f"{kit}/meta.mat", "ImageNet's validation set")
    meta = read_mat(meta_file, "synsets")
    fields = meta.dtype.names or ()
    for field in ("ILSVRC2012_ID", "WNID"):
        if field not in fields:
            raise DataError(f"{meta_file}: lacks the field {field} of synsets")
    # Beyond 1000 follow the inner nodes of WordNet's tree.
    synsets = {
        int(entry["ILSVRC2012_ID"]): str(entry["WNID"])
        for entry in meta.flat
        if int(entry["ILSVRC2012_ID"]) <= CLASSES
    }
    truth = lines(truth_file)
    labelled = []
    for file in files:
        match = _NUMBERED.fullmatch(file.stem)
        if not match or not 0 < int(match[1]) <= len(truth):
            raise DataError(f"{file}: has no line in {truth_file}, which holds {len(truth)}")
        label = truth[int(match[1]) - 1]
        if not label.isdecimal() or int(label) not in synsets:
            raise DataError(f"{truth_file}: line {int(match[1])} is {label!r}, no class of {meta_file}")
        labelled.append((file, synsets[int(label)]))
    return sorted(synsets.values()), labelled
