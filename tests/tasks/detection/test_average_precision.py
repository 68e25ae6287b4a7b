"""COCO's measure against examples by hand, pycocotools and torchmetrics."""

import contextlib
import io

import numpy as np
import pytest
import torch

from tests.tasks.detection.test_boxes import boxes
from videoquant.data.targets import Objects
from videoquant.errors import DataError
from videoquant.tasks.detection.average_precision import AveragePrecision


def things(*rows):
    """Of (left, top, right, bottom, class, ignored)."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Objects(table[:, :4], table[:, 4].astype(np.int64), table[:, 5] > 0, np.zeros(0, np.int64))


def test_one_of_two_found_before_a_false_one():
    metric = AveragePrecision(2)
    metric.update(
        boxes((0, 0, 10, 10, 0.9, 0), (50, 50, 60, 60, 0.8, 0)),
        things((0, 0, 10, 10, 0, 0), (20, 20, 30, 30, 0, 0)),
    )
    # Precision is 1 up to the recall of a half, at 51 of 101 places, and 0 beyond.
    assert metric.result() == pytest.approx({"map": 51 / 101, "map50": 51 / 101})
    assert metric.per_class() == [pytest.approx(51 / 101), None]


def test_a_box_that_is_a_little_off_counts_up_to_its_overlap():
    metric = AveragePrecision(1)
    metric.update(boxes((0, 0, 10, 7.7, 0.9, 0)), things((0, 0, 10, 10, 0, 0)))
    assert metric.result() == pytest.approx({"map": 0.6, "map50": 1.0})  # 0.5, 0.55, … 0.75


def test_what_is_found_in_a_crowd_counts_neither_way():
    metric = AveragePrecision(1)
    crowd = things((0, 0, 10, 10, 0, 0), (20, 0, 60, 40, 0, 1))
    metric.update(boxes((0, 0, 10, 10, 0.5, 0), (22, 2, 30, 9, 0.9, 0), (40, 2, 50, 9, 0.8, 0)), crowd)
    assert metric.result()["map"] == 1.0


def test_a_picture_without_things_has_false_finds():
    metric = AveragePrecision(1)
    metric.update(boxes((0, 0, 10, 10, 0.5, 0)), things((0, 0, 10, 10, 0, 0)))
    metric.update(boxes((0, 0, 10, 10, 0.9, 0)), things())
    assert metric.result()["map50"] == pytest.approx(0.5)


def test_nothing_scored_and_nothing_to_find():
    with pytest.raises(DataError, match="no sample has been scored"):
        AveragePrecision(3).result()
    metric = AveragePrecision(3)
    metric.update(boxes((0, 0, 10, 10, 0.5, 0)), things())
    assert metric.result() == {} and metric.per_class() == [None] * 3


def scenes(seed, classes=4, pictures=12):
    """Random things, and finds that lie near some of them; scores may be equal."""
    random = np.random.default_rng(seed)
    for _ in range(pictures):
        rows = []
        for _ in range(random.integers(0, 7)):
            x, y, w, h = random.uniform(0, 60, 2).tolist() + random.uniform(15, 40, 2).tolist()
            rows.append((x, y, x + w, y + h, random.integers(classes), random.random() < 0.2))
        finds = []
        for row in rows:
            for _ in range(random.integers(0, 3)):
                corners = np.array(row[:4]) + random.normal(0, 2, 4)
                label = row[4] if random.random() < 0.9 else random.integers(classes)
                finds.append((*corners, random.integers(1, 20) / 20, label))
        for _ in range(random.integers(0, 3)):
            x, y = random.uniform(0, 60, 2)
            finds.append((x, y, x + 10, y + 10, random.random(), random.integers(classes)))
        yield boxes(*finds), things(*rows)


@pytest.mark.parametrize("seed", range(8))
def test_it_is_pycocotools_number(seed):
    coco = pytest.importorskip("pycocotools.coco", reason="pip install pycocotools")
    from pycocotools.cocoeval import COCOeval

    metric, images, annotations, results = AveragePrecision(4), [], [], []
    for number, (found, target) in enumerate(scenes(seed), 1):
        metric.update(found, target)
        images.append({"id": number, "height": 100, "width": 100})
        for corners, label, ignored in zip(target.corners, target.classes, target.ignored, strict=True):
            left, top, right, bottom = corners.astype(float).tolist()
            box = [left, top, right - left, bottom - top]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": int(label), "bbox": box,
                 "area": box[2] * box[3], "iscrowd": int(ignored)}
            )  # fmt: skip
        for corners, score, label in zip(found.corners, found.scores, found.classes, strict=True):
            left, top, right, bottom = corners.astype(float).tolist()
            box = [left, top, right - left, bottom - top]
            results.append(
                {"image_id": number, "category_id": int(label), "bbox": box, "score": float(score)}
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "images": images, "annotations": annotations, "categories": [{"id": k} for k in range(4)],
        }  # fmt: skip
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert metric.result() == pytest.approx(
        {"map": evaluation.stats[0], "map50": evaluation.stats[1]}, abs=1e-9
    )


@pytest.mark.parametrize("seed", range(3))
def test_it_is_torchmetrics_number(seed):
    pytest.importorskip("pycocotools", reason="torchmetrics counts with it: pip install pycocotools")
    pytest.importorskip("torchvision", reason="torchmetrics asks for it: pip install torchvision")
    from torchmetrics.detection import MeanAveragePrecision

    metric, other = AveragePrecision(4), MeanAveragePrecision()
    for found, target in scenes(seed):
        metric.update(found, target)
        other.update(
            [{"boxes": torch.tensor(found.corners), "scores": torch.tensor(found.scores),
              "labels": torch.tensor(found.classes)}],
            [{"boxes": torch.tensor(target.corners), "labels": torch.tensor(target.classes),
              "iscrowd": torch.tensor(target.ignored.astype(int))}],
        )  # fmt: skip
    expected = other.compute()
    assert metric.result() == pytest.approx(
        {"map": float(expected["map"]), "map50": float(expected["map_50"])}, abs=1e-6
    )
