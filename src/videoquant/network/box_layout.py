"""What a file or its user says of a detector's boxes: the family, its classes, anchors and thresholds."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from videoquant.errors import NetworkError

_IMAGENET = {"mean": "0.485,0.456,0.406", "std": "0.229,0.224,0.225", "scale": "1/255"}
_YOLO = {"mean": "0", "std": "1", "scale": "1/255", "color": "RGB", "fit": "letterbox"}
# The families of detectors, and what the pictures of each become by its authors' own code.
FAMILIES: dict[str, dict[str, str]] = {
    **dict.fromkeys(("yolov3", "yolov4", "yolov5", "yolov6", "yolov7", "yolov8", "yolov9"), _YOLO),
    **dict.fromkeys(("yolov10", "yolo11", "yolo12", "yolo26", "yolo-nas"), _YOLO),
    "yolox": _YOLO | {"scale": "1", "color": "BGR"},
    "picodet": _IMAGENET | {"color": "RGB", "fit": "stretch"},
    "nanodet": {
        "mean": "103.53,116.28,123.675", "std": "57.375,57.12,58.395", "scale": "1", "color": "BGR",
        "fit": "stretch",
    },
    "rtdetr": _YOLO | {"fit": "stretch"},
    **dict.fromkeys(("rfdetr", "detr"), _IMAGENET | {"color": "RGB", "fit": "stretch"}),
    "ssd": {"mean": "127", "std": "128", "scale": "1", "color": "RGB", "fit": "stretch"},
    "retinaface": {"mean": "104,117,123", "std": "1", "scale": "1", "color": "BGR", "fit": "letterbox"},
    "scrfd": {"mean": "127.5", "std": "128", "scale": "1", "color": "RGB", "fit": "letterbox"},
    "centerface": {"mean": "0", "std": "1", "scale": "1", "color": "RGB", "fit": "letterbox"},
    "ppocr": _IMAGENET | {"color": "BGR", "fit": "stretch"},
}  # fmt: skip
# The outputs of a network whose file suppresses by itself: all boxes, and their scores.
OFFERED_BOXES, OFFERED_SCORES = "all_boxes", "all_scores"
# Ultralytics' names of tasks, and ours; their segmentation and keypoints come with boxes, which are read.
_ULTRALYTICS = {
    "detect": "detection", "segment": "detection", "pose": "detection", "classify": "classification",
}  # fmt: skip


@dataclass(frozen=True)
class BoxLayout:
    """How the outputs of a detector are read, as far as that was said; the rest follows from their shapes.

    family: one of `FAMILIES`.
    names: of the classes, in their order; () where they have none.
    anchors: the numbers of an anchor file, in its order; () for those of the family's authors.
    score: boxes below it are dropped, 0 … 1; by default the family's own.
    overlap: of two boxes of one class whose intersection over union is above it, the weaker is dropped;
        by default the family's own.
    Raises `NetworkError` for a family that is none, and for numbers out of range.
    """

    family: str | None = None
    names: tuple[str, ...] = ()
    anchors: tuple[float, ...] = ()
    score: float | None = None
    overlap: float | None = None

    def __post_init__(self) -> None:
        if self.family is not None and self.family not in FAMILIES:
            raise NetworkError(f"boxes: {self.family!r} is no family; there are {', '.join(FAMILIES)}")
        for key in ("score", "overlap"):
            value = getattr(self, key)
            if value is not None and not 0 <= value <= 1:
                raise NetworkError(f"boxes: {key} is {value:g}; a threshold lies between 0 and 1")
        if not all(map(math.isfinite, self.anchors)):
            raise NetworkError("boxes: anchors must be finite numbers")

    def with_text(self, given: Mapping[str, str]) -> BoxLayout:
        """A copy with the given values, as text, by key: see `KEYS`. Raises `NetworkError`."""
        values: dict[str, Any] = {}
        for key, text in given.items():
            if key == "boxes":
                values["family"] = text.strip().lower()
            elif key == "names":
                values["names"] = _names(text)
            elif key == "anchors":
                values["anchors"] = _anchors(text)
            else:
                values[key] = _number(text, key)
        return replace(self, **values)

    def to_text(self) -> dict[str, str]:
        """The texts from which `with_text` makes the same again."""
        texts = {
            "boxes": self.family,
            "names": repr(list(self.names)) if self.names else None,
            "anchors": ",".join(map(repr, self.anchors)) or None,
            "score": None if self.score is None else repr(self.score),
            "overlap": None if self.overlap is None else repr(self.overlap),
        }
        return {key: text for key, text in texts.items() if text is not None}


KEYS = ("boxes", "names", "anchors", "score", "overlap")


def of_ultralytics(metadata: Mapping[str, str]) -> dict[str, str]:
    """What the metadata of an Ultralytics export says in this package's words; {} for another's file."""
    if not {"names", "stride", "task"} <= metadata.keys():
        return {}
    task = _ULTRALYTICS.get(metadata["task"].strip().lower())
    if task is None:
        return {}
    return {"task": task} | (_YOLO if task == "detection" else {})


def _names(text: str) -> tuple[str, ...]:
    """Names of classes: a list or a dict by number as Python writes them, or with commas or lines between."""
    if text.strip()[:1] in ("{", "[", "("):
        try:
            read = ast.literal_eval(text.strip())
            numbered = dict(enumerate(read)) if not isinstance(read, dict) else read
            numbers = sorted(numbered)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            raise NetworkError(f"names holds {text[:60]!r}, which is no list of names") from None
        if numbers != list(range(len(numbers))):
            raise NetworkError("names: classes must be numbered from 0, without a gap")
        return tuple(str(numbered[number]) for number in numbers)
    separator = r"\n" if "\n" in text.strip() else ","
    return tuple(name.strip() for name in re.split(separator, text.strip()) if name.strip())


def _anchors(text: str) -> tuple[float, ...]:
    """The numbers of an anchor file, at least one."""
    parts = _parts(text)
    if not parts:
        raise NetworkError("boxes: anchors holds no number")
    if len(parts) > 1:
        return tuple(_number(part, "anchors") for part in parts)
    try:
        return (float(parts[0]),)
    except ValueError:  # most likely a file that is not there
        raise NetworkError(
            f"boxes: anchors: there is no file {parts[0][:60]!r}, and it is no number"
        ) from None


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[\s,;\[\](){}]+", text) if part]


def _number(text: str, key: str) -> float:
    try:
        return float(text)
    except ValueError:
        what = "has no value" if not text.strip() else f"holds {text[:60]!r}, which is no number"
        raise NetworkError(f"boxes: {key} {what}") from None
