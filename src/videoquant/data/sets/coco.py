"""COCO and whatever is annotated in its format: pictures with boxes.

    PATH/annotations/instances_SPLIT.json
    PATH/SPLIT/000000000139.jpg           (or PATH/images/SPLIT/…)

The annotations hold "images" (id, file_name, height, width), "annotations" (image_id, category_id, bbox as
left, top, width, height, iscrowd) and "categories" (id, name); classes are numbered by their ids' order, in
COCO 0 … 79.
Lin et al.: Microsoft COCO, ECCV 2014; cocodataset.org.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from videoquant.data.dataset import Dataset, Sample
from videoquant.data.images import read_image
from videoquant.data.sets.boxes import objects
from videoquant.data.sets.files import choose, part
from videoquant.data.targets import Objects
from videoquant.errors import DataError, refused_as
from videoquant.files import check_file

_PREFIX, _DEFAULT = "instances_", "val2017"


def open_coco(root: Path, split: str | None = None) -> Dataset:
    """The pictures of "val2017" (default), or of any other instances_SPLIT.json that there is.

    A picture without annotations is one in which nothing is to be found. Raises `DataError` where a part is
    missing, the file is damaged, or an annotation names a picture or a category that it does not list.
    """
    folder = part(root, "annotations", "a data set in COCO's format")
    names = sorted(f.stem.removeprefix(_PREFIX) for f in folder.glob(f"{_PREFIX}*.json"))
    if not names:
        raise DataError(f"{folder}: holds no {_PREFIX}SPLIT.json")
    default = _DEFAULT if _DEFAULT in names else names[0]
    split = choose(split, names, default, f"coco:{root}")
    file = folder / f"{_PREFIX}{split}.json"
    pictures = root / split if (root / split).is_dir() else part(root / "images", split, "COCO's pictures")
    check_file(file, DataError)
    with refused_as(DataError, f"{file}: not in COCO's format, or damaged"):
        return _read(file, pictures, split, tuple(names))


def _read(file: Path, pictures: Path, split: str, splits: tuple[str, ...]) -> Dataset:
    content = json.loads(file.read_text(encoding="utf-8"))
    categories = sorted(content["categories"], key=lambda category: int(category["id"]))
    number = {int(category["id"]): index for index, category in enumerate(categories)}
    by_image: dict[int, list[dict[str, Any]]] = {int(image["id"]): [] for image in content["images"]}
    for annotation in content["annotations"]:
        what = f"{file}: annotation {annotation.get('id', '?')}"
        if int(annotation["category_id"]) not in number:
            raise DataError(
                f"{what} is of category {annotation['category_id']}, which the file does not list"
            )
        if int(annotation["image_id"]) not in by_image:
            raise DataError(f"{what} is on image {annotation['image_id']}, which the file does not list")
        by_image[int(annotation["image_id"])].append(annotation)
    samples = []
    for image in content["images"]:
        picture = pictures / str(image["file_name"])
        size = int(image["height"]), int(image["width"])
        target = partial(_objects, by_image[int(image["id"])], number, size, file)
        name = str(image["file_name"])
        samples.append(Sample(name, name, 0, partial(read_image, picture), target))
    labels = tuple(str(category["name"]) for category in categories)
    return Dataset("coco", "detection", split, splits, samples, labels)


def _objects(
    annotations: list[dict[str, Any]], number: dict[int, int], size: tuple[int, int], file: Path
) -> Objects:
    with refused_as(DataError, f"{file}: an annotation is not in COCO's format"):
        boxes = [[float(side) for side in annotation["bbox"]] for annotation in annotations]
        return objects(
            [(left, top, left + width, top + height) for left, top, width, height in boxes],
            [number[int(annotation["category_id"])] for annotation in annotations],
            [bool(annotation.get("iscrowd", 0)) for annotation in annotations],
            size,
            [f"{file}: annotation {annotation.get('id', '?')}" for annotation in annotations],
        )
