"""Data sets as Ultralytics' YOLO is trained on them: a YAML file that names folders of pictures and classes.

    path: /data/things      (default: the folder of the YAML file; relative to it)
    train: images/train     (a folder, a text file of pictures, or a list of them)
    val: images/val
    names:                  (or [person, car])
      0: person
      1: car

The labels of images/val/a.jpg are labels/val/a.txt: a line per thing, the class from 0 and the box's centre x
and y, width and height as shares of the picture; or the class and the corners of a polygon, of which the box
around it is taken. Without a file there is nothing to find in the picture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from videoquant.data.dataset import Dataset, Sample
from videoquant.data.images import image_files, is_image, read_image
from videoquant.data.sets.boxes import objects
from videoquant.data.sets.files import choose, image_size, lines
from videoquant.data.targets import Objects
from videoquant.errors import DataError
from videoquant.files import check_file, reason

_SPLITS = ("val", "train", "test")
Value = str | list[str] | dict[str, str]


def open_yolo(file: Path, split: str | None = None) -> Dataset:
    """The pictures of "val" (default), "train" or "test", as far as the file names them.

    Raises `DataError` where the file is no such YAML, or a folder is missing; for lines of labels that are
    none, at their picture's turn.
    """
    values = read_yaml(file)
    splits = tuple(name for name in _SPLITS if values.get(name))
    if not splits:
        raise DataError(f"{file}: names no pictures; it needs one of {', '.join(_SPLITS)}")
    split = choose(split, splits, splits[0], f"yolo:{file}")
    names = _class_names(file, values.get("names"))
    root = values.get("path", "")
    if not isinstance(root, str):
        raise DataError(f"{file}: path must be a folder")
    folder = file.parent / root  # an absolute path stands alone
    given = values[split]
    places = given if isinstance(given, list) else [str(given)]
    samples = [
        Sample(str(picture), str(picture), 0, partial(read_image, picture), partial(_labels, picture, names))
        for place in places
        for picture in _pictures(folder / place, folder)
    ]
    return Dataset("yolo", "detection", split, splits, samples, names)


def _pictures(place: Path, folder: Path) -> list[Path]:
    if place.is_dir():
        return image_files(place)
    if place.suffix == ".txt":
        return [folder / line for line in lines(place)]
    if not is_image(place):
        raise DataError(f"{place}: neither a folder nor a list of pictures, which the YAML file names")
    return [place]


def _labels(picture: Path, names: tuple[str, ...]) -> Objects:
    file = _label_file(picture)
    size = image_size(picture)
    corners, classes, where = [], [], []
    for number, line in enumerate(_label_lines(file), 1):
        what = f"{file}, line {number}"
        try:
            label, *numbers = (float(part) for part in line.split())
        except ValueError:
            raise DataError(f"{what}: {line[:60]!r} is not a class and numbers") from None
        if not 0 <= label < len(names) or label != int(label):
            raise DataError(f"{what}: class {label:g} is unknown; there are {len(names)}, from 0")
        if len(numbers) == 4:
            x, y, width, height = numbers
            shares = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        elif len(numbers) >= 6 and len(numbers) % 2 == 0:
            shares = (min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2]))
        else:
            raise DataError(
                f"{what}: has {len(numbers)} numbers; a box has 4, a polygon two for every corner"
            )
        corners.append([share * side for share, side in zip(shares, size[::-1] * 2, strict=True)])
        classes.append(int(label))
        where.append(what)
    return objects(corners, classes, [False] * len(classes), size, where)


def _label_file(picture: Path) -> Path:
    """labels/…/a.txt for images/…/a.jpg; beside the picture where no folder is called images."""
    parts = list(picture.parts)
    for index in reversed(range(len(parts))):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _label_lines(file: Path) -> list[str]:
    if not file.exists():
        return []
    try:
        return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read: {reason(error)}") from error


def _class_names(file: Path, given: Value | None) -> tuple[str, ...]:
    if isinstance(given, dict):
        if sorted(given) != sorted(map(str, range(len(given)))):
            raise DataError(f"{file}: names must be numbered from 0, without a gap")
        return tuple(given[str(index)] for index in range(len(given)))
    if not isinstance(given, list) or not given:
        raise DataError(f"{file}: lacks names, the list of the classes")
    return tuple(given)


def read_yaml(file: Path) -> dict[str, Value]:
    """The part of YAML that such files are written in: values, lists and names by number, one level deep.

    What is nested deeper, or no `key: value`, is refused as `DataError`.
    """
    check_file(file, DataError)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read: {reason(error)}") from error
    values: dict[str, Value] = {}
    key = ""
    for number, line in _yaml_lines(text):
        inner = line.startswith((" ", "\t", "-"))
        entry = line.strip()
        if inner and key:
            held = values[key]
            item = re.fullmatch(r"-\s+(.*)", entry)
            pair = re.fullmatch(r"[\"']?([^:\"']+?)[\"']?\s*:(?:\s+(.*))?", entry)
            if item and (held == "" or isinstance(held, list)):
                values[key] = [*(held or []), _plain(item[1])]
                continue
            if pair and (held == "" or isinstance(held, dict)):
                values[key] = {**(held if isinstance(held, dict) else {}), pair[1]: _plain(pair[2] or "")}
                continue
            if not isinstance(held, str) or held == "":
                raise DataError(f"{file}, line {number}: {entry[:60]!r} is neither '- item' nor 'key: value'")
            continue  # text that goes on, such as a script to download with
        found = re.fullmatch(r"([\w-]+)\s*:(?:\s+(.*))?", entry)
        if not found:
            raise DataError(f"{file}, line {number}: {entry[:60]!r} is no 'key: value'")
        key, value = found[1], (found[2] or "").strip()
        if value[:1] == "[" and value[-1:] == "]":
            values[key] = [_plain(part) for part in value[1:-1].split(",") if part.strip()]
        elif value[:1] == "{" and value[-1:] == "}":
            parts = [part.partition(":") for part in value[1:-1].split(",") if part.strip()]
            values[key] = {name.strip(" \"'"): _plain(rest) for name, _, rest in parts}
        else:
            values[key] = _plain(value)
    return values


def _yaml_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with something on them, without comments, and their numbers."""
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        if line.strip() and line.strip() != "---":
            yield number, line


def _plain(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
