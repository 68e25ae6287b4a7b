import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.detectors import detector
from videoquant.network.preprocessing import Preprocessing
from videoquant.tasks import task_for
from videoquant.tasks.agreement import MaskAgreement, labels, mean_iou
from videoquant.tasks.confusion import confusion
from videoquant.tasks.drawing import TINT
from videoquant.tasks.segmentation import Segmentation

NAN = float("nan")
label_maps = arrays(np.int64, (5, 7), elements=st.integers(0, 3)).map(torch.from_numpy)


def mask(*rows: str) -> dict[str, torch.Tensor]:
    """Probabilities: # is foreground, . background, ? not a number."""
    value = {"#": 0.9, ".": 0.1, "?": NAN}
    return {"mask": torch.tensor([[[[value[c] for c in row] for row in rows]]])}


def one_hot(classes: torch.Tensor, count: int) -> dict[str, torch.Tensor]:
    return {"mask": torch.nn.functional.one_hot(classes, count).movedim(-1, 0)[None].float()}


def test_foreground_iou_pools_counts():
    agreement = MaskAgreement("mask", 1, 0.5)
    assert agreement.update(mask("##..", "##.."), mask("####", "....")) == {"mask_iou": 2 / 6}
    assert agreement.update(mask("....", "...."), mask("....", "....")) == {}
    assert agreement.update(mask("#...", "...."), mask("#...", "....")) == {"mask_iou": 1.0}
    assert agreement.result() == {"mask_iou": 3 / 7}


def test_two_empty_masks_agree_on_nothing():
    agreement = MaskAgreement("mask", 1, 0.5)
    agreement.update(mask("....", "...."), mask("....", "...."))
    assert agreement.result() == {}
    agreement.update(mask("....", "...."), mask("#...", "...."))
    assert agreement.result() == {"mask_iou": 0.0}


def test_pixels_that_are_not_finite_are_wrong_one_by_one():
    update = MaskAgreement("mask", 1, 0.5).update(mask("##..", "...."), mask("#??.", "...."))
    assert update == {"mask_iou": 1 / 3}  # in both: one; in either: both true ones and the false one


def test_threshold_of_logits_and_probabilities():
    maps = torch.tensor([[[0.4, -0.1, 0.6, 0.0]]])
    assert labels(maps, 0.5).tolist() == [[0, 0, 1, 0]]
    assert labels(maps, 0.0).tolist() == [[1, 0, 1, 0]]


def test_classes_absent_from_both_do_not_count():
    a, b = torch.tensor([[0, 0, 2, 2]]), torch.tensor([[0, 2, 2, 2]])
    update = MaskAgreement("mask", 5, 0.0).update(one_hot(a, 5), one_hot(b, 5))
    assert update["mask_iou"] == pytest.approx((1 / 2 + 2 / 3) / 2)


@given(label_maps, label_maps)
def test_the_mean_is_of_the_classes_in_either(a, b):
    ious = []
    for c in range(4):
        either = int(((a == c) | (b == c)).sum())
        if either:
            ious.append(int(((a == c) & (b == c)).sum()) / either)
    counts = confusion(a.numpy(), b.numpy(), (4, 4))
    assert mean_iou(counts) == pytest.approx(sum(ious) / len(ious))


@given(label_maps, label_maps)
def test_agreement_is_symmetric_and_full_only_for_equal_maps(a, b):
    forth = MaskAgreement("mask", 4, 0.0).update(one_hot(a, 4), one_hot(b, 4))["mask_iou"]
    back = MaskAgreement("mask", 4, 0.0).update(one_hot(b, 4), one_hot(a, 4))["mask_iou"]
    assert forth == pytest.approx(back)
    assert 0 <= forth <= 1
    assert (forth == 1) == torch.equal(a, b)


@given(st.lists(st.tuples(label_maps, label_maps), min_size=1, max_size=4))
def test_the_stream_is_one_large_frame(frames):
    agreement = MaskAgreement("mask", 4, 0.0)
    for a, b in frames:
        agreement.update(one_hot(a, 4), one_hot(b, 4))
    whole = [torch.cat(side) for side in zip(*frames, strict=True)]
    assert agreement.result()["mask_iou"] == pytest.approx(
        mean_iou(confusion(*(side.numpy() for side in whole), (4, 4)))
    )


def test_the_foreground_is_tinted_and_the_rest_untouched():
    task = Segmentation("mask", (32, 32), Preprocessing(), 0.5, 1)
    pixels = np.full((64, 96, 3), 128, dtype=np.uint8)
    outputs = {"mask": torch.zeros(1, 1, 32, 32)}
    outputs["mask"][..., 16:] = 1
    picture = task.draw(pixels, outputs)
    assert (picture[:, :44] == 128).all()
    expected = 0.55 * 128 + 0.45 * np.array(TINT)
    assert np.abs(picture[:, 56:] - expected).max() <= 1
    middle = picture[32, 44:52].astype(int)
    assert np.abs(middle - np.array(TINT)).max(axis=1).min() < 12  # the border


def test_a_crop_draws_only_where_the_network_looked():
    task = Segmentation("mask", (32, 32), Preprocessing(fit="crop"), 0.5, 1)
    pixels = np.full((64, 128, 3), 128, dtype=np.uint8)
    picture = task.draw(pixels, {"mask": torch.ones(1, 1, 32, 32)})
    # The centre 56×56 of 64×128: 0.875 of the height.
    assert (picture[:3] == 128).all() and (picture[:, :35] == 128).all() and (picture[:, 93:] == 128).all()
    assert (picture[6:58, 38:90] != 128).any(axis=-1).all()


def test_classes_have_colours_of_their_own():
    task = Segmentation("mask", (8, 8), Preprocessing(), 0.0, 3)
    columns = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2]).repeat(8, 1)
    picture = task.draw(np.full((64, 64, 3), 128, dtype=np.uint8), one_hot(columns, 3))
    seen = {tuple(picture[32, x].tolist()) for x in (4, 36, 60)}
    assert len(seen) == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 3


def test_a_matting_network_s_mask_is_its_alpha_not_its_foreground():
    network = detector({"fgr": (1, 3, 8, 8), "pha": (1, 1, 8, 8)}, task="segmentation")
    task = task_for(network)
    assert (task.primary, task.channels) == ("pha", 1)
    assert task_for(detector({"a": (1, 3, 8, 8), "b": (1, 1, 8, 8)}, task="segmentation")).primary == "a"
