"""Every data set by its name, and `open`, which reads "camvid:PATH", or the path of a video or folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from videoquant.data.dataset import Dataset
from videoquant.data.sets.camvid import open_camvid
from videoquant.data.sets.cityscapes import open_cityscapes, open_cityscapes_sequence
from videoquant.data.sets.coco import open_coco
from videoquant.data.sets.faces import open_300w, open_cofw, open_wflw
from videoquant.data.sets.imagenet import open_imagenet
from videoquant.data.sets.jhmdb import open_jhmdb
from videoquant.data.sets.mot import open_mot
from videoquant.data.sets.super_resolution import open_super_resolution
from videoquant.data.sets.vimeo90k import open_vimeo90k
from videoquant.data.sets.yolo import open_yolo
from videoquant.data.video import Clip, frames
from videoquant.errors import DataError
from videoquant.files import reason

# Those whose PATH is a file.
OF_A_FILE = ("yolo",)
# name: (folder or file, split or None for the default) → the data set
DATASETS: dict[str, Callable[[Path, str | None], Dataset]] = {
    "camvid": open_camvid,
    "cityscapes": open_cityscapes,
    "cityscapes-sequence": open_cityscapes_sequence,
    "imagenet": open_imagenet,
    "jhmdb": open_jhmdb,
    "cofw": open_cofw,
    "wflw": open_wflw,
    "300w": open_300w,
    "vimeo90k": open_vimeo90k,
    "coco": open_coco,
    "yolo": open_yolo,
    "mot": open_mot,
    **{name: partial(open_super_resolution, name) for name in ("set5", "set14", "bsd68")},
}


def open(source: str | Path) -> Dataset | Clip:
    """A data set from "NAME:PATH" or "NAME:PATH#SPLIT", or a clip from a path (see `frames`).

    NAME: one of `DATASETS`. PATH: the folder that the data set's own file in `data/sets` describes.
    SPLIT: one of the data set's, e.g. "camvid:PATH#train"; left out, the one that is commonly scored.
    Raises `DataError` for a name, path or split that does not exist, and where a part of a data set is
    missing.
    """
    name, separator, place = str(source).partition(":")
    if name not in DATASETS or not separator:
        # A drive's letter and a path with a colon are no names; one that could be is more likely mistyped.
        if separator and re.fullmatch(r"[\w-]{2,}", name) and not os.path.exists(source):
            raise DataError(
                f"{source}: no such file, and no data set {name!r}; there are {', '.join(DATASETS)}"
            )
        return frames(source)
    path, split = Path(place), None
    try:
        kind, exists = ("file", os.path.isfile) if name in OF_A_FILE else ("folder", os.path.isdir)
        if not exists(path) and "#" in path.name:
            before, _, split = place.rpartition("#")
            path = Path(before)
        if not place or not exists(path):
            raise DataError(f"{source}: {path} is not a {kind}; give {name}:PATH or {name}:PATH#SPLIT")
        return DATASETS[name](path, split)
    except OSError as error:
        raise DataError(f"{error.filename or path}: cannot be read: {reason(error)}") from error
