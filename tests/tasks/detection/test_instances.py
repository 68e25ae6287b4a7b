"""Masks and keypoints of YOLO's boxes: decoded, drawn, and how far two networks' agree."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.detectors import detector
from videoquant.tasks import task_for
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.detection.instances import mask_overlaps, masks_within, near, within
from videoquant.tasks.stored import task_from_json, task_to_json

CELLS = 8 * 8 + 4 * 4 + 2 * 2  # of a 64×64 input at strides 8, 16 and 32
MASKS = 4
RANDOM = np.random.default_rng(0)


@pytest.fixture
def masked():
    return task_for(detector({"out": (1, 4 + 2 + MASKS, CELLS), "protos": (1, MASKS, 16, 16)}, names="a,b"))


@pytest.fixture
def posed():
    return task_for(detector({"out": (1, 4 + 1 + 51, CELLS)}, names="person"))


def with_masks(coefficients=(1, -1, 0, 0), prototypes=None):
    """Two boxes of class a, left and right of each other; the first has these coefficients."""
    out = np.zeros((1, 4 + 2 + MASKS, CELLS), np.float32)
    out[0, :, 3] = (16, 32, 24, 40, 0.9, 0, *coefficients)
    out[0, :, 40] = (48, 32, 24, 40, 0.8, 0, 0, 0, 1, 0)
    prototypes = (
        RANDOM.normal(0, 1, (1, MASKS, 16, 16)).astype(np.float32) if prototypes is None else prototypes
    )
    return {"out": out, "protos": prototypes}


def with_points(moved=0.0):
    """A person whose keypoints run down a diagonal, the last of them hidden."""
    out = np.zeros((1, 4 + 1 + 51, CELLS), np.float32)
    points = [(10 + 2 * k + moved, 12 + 2 * k, 0.9 if k < 16 else 0.2) for k in range(17)]
    out[0, :, 5] = (30, 30, 50, 50, 0.9, *np.ravel(points))
    return {"out": out}


def test_masks_are_products_within_their_boxes(masked):
    assert masked.masks == "protos" and masked.classes == 2 and masked.keypoints == 0
    outputs = with_masks()
    boxes = masked.found(outputs)
    got = masked.masks_of(boxes, outputs)
    # As Ultralytics' process_mask and crop_mask, before it is brought to the picture's size.
    coefficients, prototypes = (
        torch.tensor([[1.0, -1, 0, 0], [0, 0, 1, 0]]),
        torch.tensor(outputs["protos"][0]),
    )
    wanted = (coefficients @ prototypes.flatten(1)).view(2, 16, 16).sigmoid() > 0.5
    for mask, (left, top, right, bottom) in zip(wanted, boxes.corners / 4, strict=True):
        inside = np.zeros((16, 16), bool)
        inside[round(top) : round(bottom), round(left) : round(right)] = True
        mask &= torch.from_numpy(inside)
    assert np.array_equal(got, wanted.numpy()) and got.any((1, 2)).all()


def test_a_map_is_the_mask_in_the_frame(masked):
    outputs = with_masks(prototypes=np.ones((1, MASKS, 16, 16), np.float32), coefficients=(9, 0, 0, 0))
    boxes = masked.boxes((128, 128), outputs)
    first, _ = masked.mask_maps(boxes, outputs, (128, 128))
    assert (first[24:104, 10:54] > 0.5).all()  # 12 … 52 by 8 … 56 of 64, twice as large
    assert first[:24].max() == 0 and first[:, 56:].max() == 0


def test_keypoints_stand_in_the_frame(posed):
    assert posed.keypoints == 17 and posed.masks == ""
    boxes = posed.boxes((128, 128), with_points())
    points = posed.keypoints_of(boxes, (128, 128))
    assert points.shape == (1, 17, 3)
    assert points[0, 3].tolist() == pytest.approx([2 * 16, 2 * 18, 0.9])
    assert posed.keypoints_of(boxes)[0, 3].tolist() == pytest.approx([16, 18, 0.9])


def test_they_are_drawn(masked, posed):
    pixels = np.full((128, 128, 3), 90, np.uint8)
    outputs = with_masks(prototypes=np.ones((1, MASKS, 16, 16), np.float32))
    filled = masked.draw(pixels, outputs)
    empty = masked.draw(pixels, with_masks(prototypes=-np.ones((1, MASKS, 16, 16), np.float32)))
    assert (filled[60, 96] != 90).any() and (empty[60, 96] == 90).all()  # within the second box
    assert (posed.draw(pixels, with_points())[42, 40] != 90).any()  # where a bone runs
    broken = {name: np.full_like(array, np.nan) for name, array in outputs.items()}
    assert masked.draw(pixels, broken).shape == pixels.shape


def test_masks_agree_by_their_overlap(masked):
    assert [measure.name for measure in masked.measures] == ["box_f1", "mask_iou"]
    outputs = with_masks()
    agreement = agreement_for(masked)
    a, b = (
        {name: torch.from_numpy(array) for name, array in given.items()}
        for given in (outputs, {**outputs, "protos": outputs["protos"] + np.float32(0.3)})
    )
    assert agreement.update(a, a) == {"box_f1": 1, "mask_iou": 1}
    got = agreement.update(a, b)["mask_iou"]
    boxes = masked.found(outputs)
    masks = [masked.masks_of(boxes, {k: v.numpy() for k, v in given.items()}) for given in (a, b)]
    wanted = np.mean([(x & y).sum() / (x | y).sum() for x, y in zip(*masks, strict=True)])
    assert 0 < got < 1 and got == pytest.approx(wanted)
    assert agreement.result()["mask_iou"] == pytest.approx((1 + wanted) / 2)
    other = agreement_for(masked)
    other.add(agreement.state)
    assert other.result() == agreement.result()
    broken = {name: torch.full_like(array, torch.nan) for name, array in a.items()}
    assert agreement_for(masked).update(a, broken) == {"box_f1": 0}


@pytest.mark.parametrize(("moved", "share"), [(0, 1), (7.5, 1), (9, 0)])
def test_keypoints_agree_where_they_are_a_cell_apart_at_most(posed, moved, share):
    assert [measure.name for measure in posed.measures] == ["box_f1", "keypoint_f1"]
    a, b = ({"out": torch.from_numpy(with_points(by)["out"])} for by in (0, moved))
    agreement = agreement_for(posed)
    assert agreement.update(a, b) == {"box_f1": 1, "keypoint_f1": share}
    assert agreement.result()["keypoint_f1"] == share


def test_a_plan_s_file_knows_them(masked, posed):
    for task, outputs in ((masked, ("out", "protos")), (posed, ("out",))):
        assert task_from_json(task_to_json(task), (64, 64), task.preprocessing, outputs) == task


def test_rules_by_hand():
    values = np.ones((4, 6), np.float32)
    assert within(values, np.array([1, 1, 3, 2], np.float32)).nonzero()[1].tolist() == [1, 2]
    masks = masks_within(
        np.ones((0, 2), np.float32), np.ones((2, 4, 6), np.float32), np.ones((0, 4), np.float32)
    )
    assert masks.shape == (0, 4, 6)
    assert mask_overlaps(np.zeros((1, 2, 2), bool), np.zeros((1, 2, 2), bool)).tolist() == [0]
    hidden = np.zeros((1, 3, 3), np.float32)
    assert near(hidden, hidden) == 0


def test_it_equals_a_resized_product_in_the_middle_of_a_box(masked):
    """The map is resized before the sigmoid elsewhere; both say the same away from the border."""
    outputs = with_masks()
    boxes = masked.boxes((64, 64), outputs)
    first, _ = masked.mask_maps(boxes, outputs, (64, 64))
    product = torch.tensor(boxes.extra[:1] @ outputs["protos"][0].reshape(MASKS, -1)).view(1, 1, 16, 16)
    wanted = F.interpolate(product, (64, 64), mode="bilinear")[0, 0].numpy() > 0
    inside = (slice(14, 50), slice(6, 26))
    assert ((first > 0.5)[inside] == wanted[inside]).mean() > 0.9
