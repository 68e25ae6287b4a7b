"""Each metric against its definition, and against torchmetrics.

Long because each metric has its worked example.
"""

import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score, top_k_accuracy_score
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex
from torchmetrics.image import PeakSignalNoiseRatio

from videoquant.data.targets import Joints, LabelMap, Landmarks, Picture
from videoquant.errors import DataError
from videoquant.network.ycbcr import luma
from videoquant.tasks.metrics import NME, PCK, ConfusionMatrix, PsnrY, TopK

VOID = 255


def maps(low: int = 0):
    return arrays(np.int64, (4, 5), elements=st.integers(low, 3))


def label_map(values, void: int = VOID) -> LabelMap:
    return LabelMap(np.asarray(values, dtype=np.uint8), void)


@given(st.lists(st.tuples(maps(), maps(), arrays(np.bool_, (4, 5))), min_size=1, max_size=3))
def test_iou_is_scikit_learns_jaccard_score(frames):
    metric = ConfusionMatrix(4)
    labels, predicted = [], []
    for truth, got, void in frames:
        update = metric.update(got, label_map(np.where(void, VOID, truth)))
        assert 0 <= update["miou"] <= 1 if not void.all() else update == {}
        labels += truth[~void].tolist()
        predicted += got[~void].tolist()
    if not labels:
        with pytest.raises(DataError, match="no labelled pixel"):
            metric.result()
        return
    present = sorted({*labels, *predicted})
    expected = jaccard_score(labels, predicted, labels=present, average=None)
    per_class = metric.per_class()
    assert [per_class[c] for c in present] == pytest.approx(expected)
    assert all(per_class[c] is None for c in range(4) if c not in present)
    assert metric.result()["miou"] == pytest.approx(expected.mean())
    accuracy = np.diagonal(metric.counts).sum() / metric.counts.sum()
    assert accuracy == pytest.approx(accuracy_score(labels, predicted))


def camvid_like(seed: int, frames: int = 3):
    """Frames of (predicted, labels): 11 classes, 11 is void, most pixels right, every class present."""
    random = np.random.default_rng(seed)
    for _ in range(frames):
        labels = random.integers(0, 12, (36, 48))
        wrong = random.random(labels.shape) < 0.3
        yield np.where(wrong | (labels == 11), random.integers(0, 11, labels.shape), labels), labels


@pytest.mark.parametrize("seed", range(3))
def test_iou_is_that_of_torchmetrics(seed: int):
    metric = ConfusionMatrix(11)
    mean, each = (
        MulticlassJaccardIndex(11, average=average, ignore_index=11) for average in ("macro", "none")
    )
    for predicted, labels in camvid_like(seed):
        metric.update(predicted, label_map(labels, void=11))
        for theirs in (mean, each):
            theirs.update(torch.from_numpy(predicted), torch.from_numpy(labels))
    assert metric.per_class() == pytest.approx(each.compute().tolist(), rel=1e-6)
    assert metric.result()["miou"] == pytest.approx(float(mean.compute()), rel=1e-6)


def test_the_confusion_matrix_is_scikit_learns():
    metric, expected = ConfusionMatrix(11), np.zeros((11, 11), np.int64)
    for predicted, labels in camvid_like(7):
        metric.update(predicted, label_map(labels, void=11))
        seen = labels != 11
        expected += confusion_matrix(labels[seen], predicted[seen], labels=range(11))
    assert np.array_equal(metric.counts[:, :11], expected) and not metric.counts[:, 11].any()


@given(maps(), maps(), maps(), arrays(np.bool_, (4, 5)))
def test_what_is_predicted_on_void_changes_nothing(truth, one, other, void):
    void[0, 0] = False  # something is left to be counted
    counts = []
    for predicted in (one, np.where(void, other, one)):
        metric = ConfusionMatrix(4)
        metric.update(predicted, label_map(np.where(void, VOID, truth)))
        counts.append(metric.counts)
    assert np.array_equal(*counts) and counts[0].sum() == (~void).sum()


def test_a_frame_of_void_alone_changes_nothing():
    metric = ConfusionMatrix(3)
    metric.update(np.array([[0, 1]]), label_map([[0, 0]]))
    before = metric.counts.copy()
    metric.update(np.array([[2, 2]]), label_map([[VOID, VOID]]))
    assert np.array_equal(metric.counts, before) and metric.result() == {"miou": 1 / 4}


def test_a_worked_example_of_miou():
    metric = ConfusionMatrix(3)
    # road 2 of 3 right, car 1 of 2, one road pixel without a prediction, one void.
    update = metric.update(np.array([[0, 0, -1], [1, 0, 2]]), label_map([[0, 0, 0], [1, 1, VOID]]))
    assert update["miou"] == pytest.approx((2 / 4 + 1 / 2) / 2)
    assert metric.per_class() == [2 / 4, 1 / 2, None]
    assert metric.counts.tolist() == [[2, 0, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]]


def test_the_stream_pools_counts_not_frames():
    metric = ConfusionMatrix(2)
    assert metric.update(np.array([[0, 0, 0, 0]]), label_map([[0, 0, 0, 0]])) == {"miou": 1.0}
    assert metric.update(np.array([[1]]), label_map([[0]])) == {"miou": 0.0}
    assert metric.result()["miou"] == pytest.approx((4 / 5 + 0) / 2)


def test_the_void_id_may_follow_the_classes():
    metric = ConfusionMatrix(11)
    assert metric.update(np.array([[3, 3]]), label_map([[3, 11]], void=11)) == {"miou": 1.0}


@pytest.mark.parametrize(
    ("predicted", "labels", "message"),
    [
        ([[0, 1]], [[0], [1]], "predicted classes and labels differ in size: 1×2 and 2×1"),
        ([[0, 3]], [[0, 1]], "a predicted class is 3; there are 3 classes"),
        ([[-2, 0]], [[0, 1]], "a predicted class is -2; there are 3 classes"),
        ([[0, 0]], [[0, 7]], "a label is 7; there are 3 classes"),
    ],
)
def test_maps_that_do_not_fit(predicted, labels, message):
    with pytest.raises(DataError) as error:
        ConfusionMatrix(3).update(np.array(predicted), label_map(labels))
    assert str(error.value) == message


@given(arrays(np.float64, (6, 8), elements=st.floats(-9, 9), unique=True), st.data())
def test_top_k_is_scikit_learns(scores, data):
    indexes = data.draw(st.lists(st.integers(0, 7), min_size=6, max_size=6))
    metric = TopK()
    for row, index in zip(scores, indexes, strict=True):
        metric.update(row, index)
    expected = {
        f"top{k}_accuracy": top_k_accuracy_score(indexes, scores, k=k, labels=range(8)) for k in (1, 5)
    }
    assert metric.result() == pytest.approx(expected)


def test_top_k_is_that_of_torchmetrics():
    random = np.random.default_rng(3)
    scores, indexes = random.normal(size=(200, 20)).astype(np.float32), random.integers(0, 20, 200)
    scores[np.arange(200), indexes] += 1
    metric = TopK()
    for row, index in zip(scores, indexes, strict=True):
        metric.update(row, int(index))
    expected = {}
    for k in (1, 5):
        theirs = MulticlassAccuracy(20, top_k=k, average="micro")
        expected[f"top{k}_accuracy"] = float(theirs(torch.from_numpy(scores), torch.from_numpy(indexes)))
    assert metric.result() == pytest.approx(expected)
    assert 0.1 < expected["top1_accuracy"] < expected["top5_accuracy"] < 0.9


def test_ties_and_broken_scores():
    metric = TopK((1, 2))
    assert metric.update(np.array([1.0, 1.0, 0.0]), 0) == {"top1_accuracy": 1, "top2_accuracy": 1}
    assert metric.update(np.array([1.0, 1.0, 0.0]), 1) == {"top1_accuracy": 0, "top2_accuracy": 1}
    assert metric.update(np.array([1.0, np.nan, 0.0]), 0) == {"top1_accuracy": 0, "top2_accuracy": 0}
    assert metric.update(np.array([np.inf, 0.0, 0.0]), 0) == {"top1_accuracy": 0, "top2_accuracy": 0}
    assert metric.result() == {"top1_accuracy": 1 / 4, "top2_accuracy": 2 / 4}
    assert [measure.label for measure in metric.measures] == ["top-1", "top-2"]
    with pytest.raises(DataError, match=r"^class 3 is none of the 3 that the network scores$"):
        metric.update(np.zeros(3), 3)


def joints(points, visible, box=(0.0, 0.0, 10.0, 50.0)) -> Joints:
    return Joints(np.array(points, np.float32), np.array(visible), box)


def test_a_worked_example_of_pck():
    metric = PCK(4)  # 0.2 · 50 = 10 pixels
    truth = [[0, 0], [100, 100], [20, 20], [5, 5]]
    got = np.array([[6, 8], [100, 110.5], [20, 20], [99, 99]], np.float32)  # 10, 10.5, 0 away; hidden
    assert metric.update(got, joints(truth, [True, True, True, False])) == {"pck": 2 / 3}
    got = np.array([[np.nan, 0], [100, 100], [np.inf, 0], [5, 5]], np.float32)
    assert metric.update(got, joints(truth, [True, True, False, True])) == {"pck": 2 / 3}
    assert metric.result() == {"pck": 4 / 6}
    assert metric.per_joint() == [1 / 2, 1 / 2, 1.0, 1.0]


def test_a_person_without_visible_joints_changes_nothing():
    metric = PCK(2)
    assert metric.update(np.zeros((2, 2), np.float32), joints([[9, 9], [9, 9]], [False, False])) == {}
    assert metric.result() == {}
    metric.update(np.zeros((2, 2), np.float32), joints([[99, 99], [0, 0]], [True, False]))
    assert metric.result() == {"pck": 0.0}
    assert metric.per_joint() == [0.0, None]


def face(points) -> Landmarks:
    return Landmarks(np.array(points, np.float32), (0, 1), np.ones(len(points), np.bool_))


def test_a_worked_example_of_nme_and_failure_rate():
    metric = NME()
    truth = face([[10, 20], [50, 50], [30, 60]])  # eyes 50 apart
    got = truth.points + np.array([[3, 4], [0, 0], [0, 1]], np.float32)  # (5 + 0 + 1)/3 = 2 pixels
    assert metric.update(got, truth) == pytest.approx({"nme": 4.0, "failure_rate": 0.0})
    got = truth.points + np.array([6, 8], np.float32)  # 10 pixels
    assert metric.update(got, truth) == pytest.approx({"nme": 20.0, "failure_rate": 100.0})
    assert metric.result() == pytest.approx({"nme": 12.0, "failure_rate": 50.0})


def test_exactly_a_tenth_is_no_failure():
    truth = face([[0, 0], [100, 0]])
    assert NME().update(truth.points + np.array([0, 10], np.float32), truth)["failure_rate"] == 0.0


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_broken_landmarks_have_the_largest_error(value: float):
    truth = face([[0, 0], [100, 0]])
    got = np.array([[0, value], [100, 0]], np.float32)
    assert NME().update(got, truth) == {"nme": 100.0, "failure_rate": 100.0}


def test_points_that_do_not_fit():
    with pytest.raises(DataError, match=r"^the network gives 3 points, the data set has 2$"):
        NME().update(np.zeros((3, 2), np.float32), face([[0, 0], [1, 0]]))
    with pytest.raises(DataError, match=r"^the network gives 3 points, the data set has 1$"):
        PCK(1).update(np.zeros((3, 2), np.float32), joints([[0, 0]], [True]))
    with pytest.raises(DataError, match=r"both eyes are in one place"):
        NME().update(np.zeros((2, 2), np.float32), face([[1, 1], [1, 1]]))


def test_a_worked_example_of_psnr_on_y():
    metric = PsnrY()
    truth = np.full((10, 12, 3), 100, np.uint8)
    got = truth.copy()
    got += np.uint8(10)  # luma by 10 · 219/255
    error = (10 * 219 / 255) ** 2
    value = 10 * math.log10(255**2 / error)
    assert metric.update(got, Picture(truth, 2)) == pytest.approx({"psnr_y": value})
    assert metric.update(truth, Picture(truth, 2)) == {"psnr_y": 100.0}
    assert metric.result() == pytest.approx({"psnr_y": (value + 100) / 2})


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_psnr_on_y_is_that_of_torchmetrics_on_cropped_luma(scale: int):
    random = np.random.default_rng(scale)
    metric, expected = PsnrY(), []
    for height, width in ((24, 36), (36, 60)):
        truth = random.integers(0, 256, (height, width, 3), np.uint8)
        got = (truth + random.normal(0, 12, truth.shape)).clip(0, 255).astype(np.uint8)
        inner = (slice(scale, height - scale), slice(scale, width - scale))
        theirs = PeakSignalNoiseRatio(data_range=255.0)
        expected.append(
            float(theirs(*(torch.from_numpy(luma(p)[inner].copy()).double() for p in (got, truth))))
        )
        assert metric.update(got, Picture(truth, scale))["psnr_y"] == pytest.approx(expected[-1], rel=1e-6)
    assert metric.result()["psnr_y"] == pytest.approx(sum(expected) / 2, rel=1e-6)
    assert expected[0] != pytest.approx(expected[1], abs=0.01)


def test_luma_may_be_given_as_it_is():
    truth = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    y = luma(truth).round().astype(np.uint8)
    from_luma = PsnrY().update(y, Picture(truth, 2))["psnr_y"]
    error = np.square(y - luma(truth))[2:-2, 2:-2].mean()
    assert from_luma == pytest.approx(10 * math.log10(255**2 / error))
    assert PsnrY().update(truth, Picture(truth, 2)) == {"psnr_y": 100.0}
    with pytest.raises(DataError, match=r"differ in size: 6×8 and 12×16$"):
        PsnrY().update(y[:6, :8], Picture(truth, 2))


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_border_of_the_scale_does_not_count(scale: int):
    truth = np.full((20, 20, 3), 100, np.uint8)
    got = truth.copy()
    got[:scale] = got[-scale:] = got[:, :scale] = got[:, -scale:] = 0
    assert PsnrY().update(got, Picture(truth, scale)) == {"psnr_y": 100.0}
    got[scale, scale] = 0
    assert PsnrY().update(got, Picture(truth, scale))["psnr_y"] < 60


def test_pictures_that_do_not_fit():
    with pytest.raises(DataError, match=r"^the upscaled picture and its target differ in size: 4×4 and 8×8$"):
        PsnrY().update(np.zeros((4, 4, 3), np.uint8), Picture(np.zeros((8, 8, 3), np.uint8), 2))
    with pytest.raises(DataError, match=r"^a picture of 4×4 is all border of 2$"):
        PsnrY().update(np.zeros((4, 4, 3), np.uint8), Picture(np.zeros((4, 4, 3), np.uint8), 2))


@pytest.mark.parametrize("metric", [TopK(), PCK(2), NME(), PsnrY(), ConfusionMatrix(3)])
def test_nothing_scored_is_no_result(metric):
    with pytest.raises(DataError, match=r"^no (sample|labelled pixel) has been scored"):
        metric.result()


def test_memory_does_not_grow_with_the_stream():
    metrics = [ConfusionMatrix(5), TopK(), PCK(2), NME(), PsnrY()]
    points = np.array([[0, 0], [30, 40]], np.float32)
    picture = np.zeros((16, 16, 3), np.uint8)
    arguments = [
        (np.zeros((16, 16), np.int64), label_map(np.zeros((16, 16)))),
        (np.arange(9.0), 3),
        (points, joints(points, [True, True])),
        (points, face(points)),
        (picture, Picture(picture, 2)),
    ]

    def run(samples: int) -> int:
        for _ in range(samples):
            for metric, (predicted, target) in zip(metrics, arguments, strict=True):
                metric.update(predicted, target)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = run(20)
        assert run(300) - first < 4096
    finally:
        tracemalloc.stop()
