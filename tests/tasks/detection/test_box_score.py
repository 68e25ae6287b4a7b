"""Boxes against the labels of a data set (`tasks.scoring.BoxScore`)."""

from functools import partial

import numpy as np
import pytest

from tests.detectors import detector
from videoquant.data import Dataset, Sample
from videoquant.data.targets import ClassLabel, Objects
from videoquant.errors import DataError
from videoquant.tasks import task_for
from videoquant.tasks.scoring import score_for

CELLS = 8 * 8 + 4 * 4 + 2 * 2  # of YOLOv8 at 64×64


def dataset(task: str, labels: tuple[str, ...]) -> Dataset:
    sample = Sample("a", "a", 0, partial(np.zeros, (8, 8, 3), np.uint8), partial(ClassLabel, 0))
    return Dataset("toy", task, "val", ("val",), [sample], labels)


def yolo(classes: int, **said: str):
    return task_for(detector({"out": (1, 4 + classes, CELLS)}, fit="letterbox", **said))


def found(classes: int, *rows: tuple[float, ...]) -> dict[str, np.ndarray]:
    values = np.zeros((1, 4 + classes, CELLS), np.float32)
    for index, row in enumerate(rows):
        values[0, :, index] = row
    return {"out": values}


def objects(*rows: tuple[float, ...]) -> Objects:
    """Of (left, top, right, bottom, class)."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    none = np.zeros(len(table), bool)
    return Objects(table[:, :4], table[:, 4].astype(np.int64), none, np.zeros(0, np.int64))


def test_boxes_are_scored_in_the_frames_pixels():
    score = score_for(yolo(2), dataset("detection", ("cat", "dog")))
    frame = np.zeros((64, 128, 3), np.uint8)  # half as large in the middle of the input
    outputs = found(2, (20, 32, 8, 8, 0.01, 0.9), (40, 32, 8, 8, 0.01, 0))
    target = objects((32, 24, 48, 40, 1), (72, 24, 88, 40, 0))
    assert score.update(frame, outputs, target) == {}
    assert score.result() == {"map": 1.0, "map50": 1.0}  # a score of 0.01 counts, as in COCO's measure
    assert score.per_label() == {"cat": 1.0, "dog": 1.0}


def test_classes_are_told_by_their_names():
    task = yolo(3, names="bird,Dog,cat")
    score = score_for(task, dataset("detection", ("cat", "dog", "horse")))
    outputs = found(3, (8, 8, 8, 8, 0, 0.9, 0), (24, 8, 8, 8, 0.9, 0, 0))
    score.update(np.zeros((64, 64, 3), np.uint8), outputs, objects((4, 4, 12, 12, 1), (40, 4, 50, 14, 2)))
    assert score.result() == {"map": 1.0, "map50": 1.0}  # neither bird nor horse counts
    assert score.per_label() == {"cat": None, "dog": 1.0, "horse": None}


def test_classes_that_share_nothing_are_refused():
    with pytest.raises(
        DataError, match=r"^the network finds face …, toy is labelled with cat, dog …; --names"
    ):
        score_for(yolo(1, names="face"), dataset("detection", ("cat", "dog")))
    with pytest.raises(DataError, match=r"^the network has 3 classes, toy has 2; --names says which$"):
        score_for(yolo(3), dataset("detection", ("cat", "dog")))
