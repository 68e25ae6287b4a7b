"""How far a network's outputs agree with a reference's, by task, summed up over a stream: in PyTorch.

Long because every task has its small class here, and what two of them share.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial, singledispatch
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.errors import DataError
from videoquant.network.preprocessing import Preprocessing
from videoquant.tasks.base import Task, single
from videoquant.tasks.classification import TOP1, Classification
from videoquant.tasks.confusion import class_ious, confusion
from videoquant.tasks.detection import BOX_F1, Boxes, Detection
from videoquant.tasks.detection.instances import mask_overlaps, near, visible
from videoquant.tasks.detection.matching import match
from videoquant.tasks.detection.yolo import ScoredBoxes
from videoquant.tasks.landmarks import LANDMARK_DISTANCE, BodyLandmarks, Landmarks
from videoquant.tasks.pose import KEYPOINT_F1, Keypoints, peaks
from videoquant.tasks.segmentation import MASK_IOU, Segmentation
from videoquant.tasks.super_resolution import PSNR, PSNR_CAP, SuperResolution

DISTANCE_CAP = 100.0  # percent; also the distance of an output that is not finite


class Agreement(ABC):
    """The agreement of two streams of outputs, summed up in a few numbers a frame; it keeps no output."""

    _sums: ClassVar[tuple[str, ...]] = ()  # the attributes that add up: numbers, arrays, lists

    def __init__(self) -> None:
        self.frames = 0

    def update(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]:
        """Count one frame and return its own measures by name; both hold a network's outputs with N = 1.

        A measure that has nothing to measure, such as keypoints where neither of the two shows any, is left
        out: nothing against nothing is no agreement. A value that is not finite, in either, counts as
        disagreement: no measure is ever NaN.
        Raises `DataError` where an output is missing, has N ≠ 1, or another shape than its reference.
        """
        measures = self._add(reference, output)
        self.frames += 1
        return measures

    def result(self) -> dict[str, float]:
        """The measures of the stream so far, by name, without those that had nothing to measure.

        Raises `DataError` before the first frame.
        """
        if not self.frames:
            raise DataError(
                "no frame has been compared, so there is no agreement to report; call update first"
            )
        return self._pooled()

    @property
    def state(self) -> dict[str, Any]:
        """What has been summed up, in numbers and lists of them, for `add`."""
        sums = {name: getattr(self, name) for name in ("frames", *self._sums)}
        return {name: s.tolist() if isinstance(s, np.ndarray) else s for name, s in sums.items()}

    def add(self, state: Mapping[str, Any]) -> None:
        """Count the frames of another one of this kind, which follow those that it has."""
        for name in ("frames", *self._sums):
            # A list would be added to an array number by number, and so it shall.
            setattr(self, name, getattr(self, name) + state[name])

    @abstractmethod
    def _add(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]: ...

    @abstractmethod
    def _pooled(self) -> dict[str, float]: ...


class Mean(Agreement):
    """The mean over the frames of one number per frame.

    measure: its name.
    output: which output is compared.
    score: (reference, output) without N → the number.
    """

    _sums = ("_scores",)

    def __init__(self, measure: str, output: str, score: Callable[[Tensor, Tensor], float]) -> None:
        super().__init__()
        self._measure, self._output, self._score = measure, output, score
        self._scores: list[float] = []

    def _add(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]:
        score = self._score(*pair(reference, output, self._output))
        self._scores.append(score)
        return {self._measure: score}

    def _pooled(self) -> dict[str, float]:
        return {self._measure: sum(self._scores) / self.frames}


class Together(Agreement):
    """Several agreements side by side, e.g. of the landmarks and of the mask."""

    def __init__(self, *parts: Agreement) -> None:
        super().__init__()
        self._parts = parts

    @property
    def state(self) -> dict[str, Any]:
        return super().state | {"parts": [part.state for part in self._parts]}

    def add(self, state: Mapping[str, Any]) -> None:
        super().add(state)
        for part, of_part in zip(self._parts, state["parts"], strict=True):
            part.add(of_part)

    def _add(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]:
        return {k: v for part in self._parts for k, v in part.update(reference, output).items()}

    def _pooled(self) -> dict[str, float]:
        return {k: v for part in self._parts for k, v in part.result().items()}


@singledispatch
def agreement_for(task: Task) -> Agreement:
    """A fresh `Agreement` of a task for one stream. Raises `DataError` for a task of an unknown kind."""
    raise DataError(f"nothing measures the agreement of a {type(task).__name__}")


@agreement_for.register
def _(task: Classification) -> Agreement:
    return Mean(TOP1.name, task.primary, same_class)


@agreement_for.register
def _(task: Segmentation) -> Agreement:
    return MaskAgreement(task.primary, task.channels, task.threshold)


@agreement_for.register
def _(task: BodyLandmarks) -> Agreement:
    points = distance_agreement(task.primary, task.values)
    return Together(points, MaskAgreement(task.mask, 1, task.mask_threshold)) if task.mask else points


@agreement_for.register
def _(task: Keypoints) -> Agreement:
    return PeakAgreement(task.primary, task.threshold)


@agreement_for.register
def _(task: Landmarks) -> Agreement:
    return distance_agreement(task.primary, task.values)


@agreement_for.register
def _(task: SuperResolution) -> Agreement:
    return PictureAgreement(task.primary, task.preprocessing)


@agreement_for.register
def _(task: Detection) -> Agreement:
    return BoxAgreement(task)


@agreement_for.register
def _(task: ScoredBoxes) -> Agreement:
    return InstanceAgreement(task) if task.masks or task.keypoints else BoxAgreement(task)


def pair(reference: dict[str, Tensor], output: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    """One output of both networks, float32 without the dimension N; errors as in `Agreement.update`."""
    a, b = (single(outputs, name)[0].detach().to("cpu", torch.float32) for outputs in (reference, output))
    _same_shape(name, a.shape, b.shape)
    return a, b


def _same_shape(name: str, a: Sequence[int], b: Sequence[int]) -> None:
    if tuple(a) != tuple(b):
        sizes = " and ".join("×".join(map(str, shape)) for shape in (a, b))
        raise DataError(
            f"output {name!r} differs in shape from its reference ({sizes}); compare equal networks"
        )


def same_class(reference: Tensor, output: Tensor) -> float:
    """1.0 where the largest score of both is at the same place, else 0.0; 0.0 where either is not finite."""
    finite = bool(torch.isfinite(reference).all() and torch.isfinite(output).all())
    return float(finite and int(reference.flatten().argmax()) == int(output.flatten().argmax()))


class MaskAgreement(Agreement):
    """`mask_iou`: intersection over union of two masks or class maps, pooled in one confusion matrix.

    One channel: IoU of the foreground. Several: the mean of the classes' IoU, over classes present in either.
    None where both are empty. A pixel that is not finite in either counts as wrong: a broken output has 0.0.
    """

    _sums = ("_counts",)

    def __init__(self, output: str, channels: int, threshold: float) -> None:
        super().__init__()
        self._output, self._threshold = output, threshold
        self._foreground = channels == 1
        self._counts = np.zeros((max(2, channels),) * 2, np.int64)

    def _add(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]:
        a, b = pair(reference, output, self._output)
        expected, got = labels(a, self._threshold), labels(b, self._threshold)
        broken = ~(torch.isfinite(a) & torch.isfinite(b)).all(0)
        got = torch.where(broken, (expected + 1) % len(self._counts), got)
        counts = confusion(expected.numpy(), got.numpy(), (len(self._counts), len(self._counts)))
        self._counts += counts
        return self._measure(counts)

    def _pooled(self) -> dict[str, float]:
        return self._measure(self._counts)

    def _measure(self, counts: NDArray[np.int64]) -> dict[str, float]:
        iou = mean_iou(counts, self._foreground)
        return {} if iou is None else {MASK_IOU.name: iou}


def labels(maps: Tensor, threshold: float) -> Tensor:
    """The class of every pixel, int64 H×W, of maps C×H×W: above `threshold` for C = 1, else the largest."""
    return (maps[0] > threshold).long() if len(maps) == 1 else torch.nan_to_num(maps).argmax(0)


def mean_iou(counts: NDArray[np.int64], foreground: bool = False) -> float | None:
    """The mean of `class_ious` over the classes present; None where none is.

    foreground: only class 1 counts, the mask of a two-class confusion matrix.
    """
    ious = class_ious(counts)[1:] if foreground else class_ious(counts)
    present = [iou for iou in ious if iou is not None]
    return float(torch.tensor(present, dtype=torch.float64).mean()) if present else None


class PeakAgreement(Agreement):
    """`keypoint_f1`: 2·matched/(peaks of the reference + peaks of the output), pooled over the stream.

    Peaks of the same keypoint match at most one cell apart, see `matches`. A frame without peaks in both has
    none; one that is not finite in either has 0.0 and counts as one missed peak where there is none to miss.
    """

    _sums = ("_matched", "_peaks")

    def __init__(self, output: str, threshold: float) -> None:
        super().__init__()
        self._output, self._threshold = output, threshold
        self._matched = self._peaks = 0

    def _add(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]:
        a, b = pair(reference, output, self._output)
        expected, got = (peaks(heatmap.numpy(), self._threshold) for heatmap in (a, b))
        count, matched = int(expected.sum() + got.sum()), 0
        if bool(torch.isfinite(a).all() and torch.isfinite(b).all()):
            matched = matches(expected, got)
        else:
            count = max(1, count)
        self._matched, self._peaks = self._matched + matched, self._peaks + count
        return _f1(matched, count)

    def _pooled(self) -> dict[str, float]:
        return _f1(self._matched, self._peaks)


def _f1(matched: int, count: int) -> dict[str, float]:
    """2·matched/count, where count is the number of peaks on both sides; nothing where there are none."""
    return {KEYPOINT_F1.name: 2 * matched / count} if count else {}


def matches(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> int:
    """How many peaks of two maps (bool K×h×w) pair up one to one, same channel, at most one cell apart.

    Nearest first: the same cell, then side by side, then diagonal. Swapping the maps gives the same number.
    """
    same = a & b
    matched = int(same.sum())
    a, b = a & ~same, b & ~same
    height, width = a.shape[1:]
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        # The cells p and p + (dy, dx), one of which has a peak of a and the other one of b.
        low = (slice(None), slice(0, height - dy), slice(max(0, -dx), width - max(0, dx)))
        high = (slice(None), slice(dy, height), slice(max(0, dx), width + min(0, dx)))
        meet = (a[low] & b[high]) | (b[low] & a[high])
        used: set[tuple[int, int, int]] = set()
        for k, row, column in np.argwhere(meet).tolist():
            first = (k, row, column + max(0, -dx))
            second = (k, row + dy, first[2] + dx)
            if first not in used and second not in used:
                used |= {first, second}
        matched += len(used) // 2
        if used:
            cells = tuple(np.array(sorted(used)).T)
            a[cells] = b[cells] = False
    return matched


class BoxAgreement(Agreement):
    """`box_f1`: 2·matched/(boxes of the reference + boxes of the output), pooled over the stream.

    Boxes of one class match where they overlap by half or more, see `matching.match`. A frame without boxes
    in both has none; one that is not finite in either has 0.0 and counts as one missed box where there is
    none to miss.
    """

    _sums: ClassVar[tuple[str, ...]] = ("_matched", "_boxes")

    def __init__(self, task: Detection) -> None:
        super().__init__()
        self._task = task
        self._matched = self._boxes = 0

    def _add(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]:
        finite = True
        for name, a, b in zip(
            self._task.outputs, self._task.arrays(reference), self._task.arrays(output), strict=True
        ):
            _same_shape(name, a.shape, b.shape)
            finite &= bool(np.isfinite(a).all() and np.isfinite(b).all())
        expected, got = (self._task.found(outputs) for outputs in (reference, output))
        pairs = match(expected, got)
        count, matched = len(expected) + len(got), len(pairs)
        if not finite:
            count, matched, pairs = max(1, count), 0, pairs[:0]
        self._matched, self._boxes = self._matched + matched, self._boxes + count
        return _box_f1(matched, count) | self._inside(reference, output, expected, got, pairs)

    def _inside(
        self,
        reference: dict[str, Tensor],
        output: dict[str, Tensor],
        expected: Boxes,
        got: Boxes,
        pairs: NDArray[np.int64],
    ) -> dict[str, float]:
        """The agreement of what lies in boxes. pairs: those that match."""
        return {}

    def _pooled(self) -> dict[str, float]:
        return _box_f1(self._matched, self._boxes)


class InstanceAgreement(BoxAgreement):
    """As `BoxAgreement`, and of what lies in the boxes.

    `mask_iou`: the mean, over pairs of boxes that match, of the intersection over union of their masks.
    `keypoint_f1`: 2·matched/(keypoints of the reference + of the output), over those that are visible; two
    match in boxes that match, where they are at most a cell apart (`instances.NEAR`).
    """

    _sums = (*BoxAgreement._sums, "_ious", "_pairs", "_near", "_points")

    def __init__(self, task: ScoredBoxes) -> None:
        super().__init__(task)
        self._boxed = task
        self._ious: list[float] = []
        self._pairs = 0
        self._near = self._points = 0

    def _inside(
        self,
        reference: dict[str, Tensor],
        output: dict[str, Tensor],
        expected: Boxes,
        got: Boxes,
        pairs: NDArray[np.int64],
    ) -> dict[str, float]:
        task, (a, b) = self._boxed, pairs.T
        if task.masks:
            masks = task.masks_of(expected[a], reference), task.masks_of(got[b], output)
            ious = mask_overlaps(*masks)
            self._ious.append(float(ious.sum()))
            self._pairs += len(ious)
            return _mean_iou(float(ious.sum()), len(ious))
        points = [task.keypoints_of(boxes) for boxes in (expected, got)]
        matched, count = near(points[0][a], points[1][b]), visible(points[0]) + visible(points[1])
        self._near, self._points = self._near + matched, self._points + count
        return _f1(matched, count)

    def _pooled(self) -> dict[str, float]:
        more = _mean_iou(sum(self._ious), self._pairs) if self._boxed.masks else _f1(self._near, self._points)
        return super()._pooled() | more


def _mean_iou(total: float, pairs: int) -> dict[str, float]:
    return {MASK_IOU.name: total / pairs} if pairs else {}


def _box_f1(matched: int, count: int) -> dict[str, float]:
    """2·matched/count, where count is the number of boxes on both sides; nothing where there are none."""
    return {BOX_F1.name: 2 * matched / count} if count else {}


def distance_agreement(output: str, values: int) -> Agreement:
    """`landmark_distance`: the mean over the frames of `landmark_distance`; values: numbers a point."""
    return Mean(LANDMARK_DISTANCE.name, output, partial(landmark_distance, values=values))


def landmark_distance(reference: Tensor, output: Tensor, values: int) -> float:
    """The mean distance of corresponding points in the image plane, in percent of the body's or face's size.

    That size is the diagonal of the bounding box of all reference points. At most `DISTANCE_CAP`, which is
    also the distance where either is not finite, and where the reference's points coincide but the output's
    are elsewhere.
    """
    a, b = (numbers.reshape(-1, values)[:, :2].double() for numbers in (reference, output))
    distance = float(torch.linalg.vector_norm(a - b, dim=1).mean())
    diagonal = float(torch.linalg.vector_norm(a.amax(0) - a.amin(0)))
    if distance == 0:
        return 0.0
    percent = 100 * distance / diagonal if diagonal > 0 else DISTANCE_CAP
    return min(percent, DISTANCE_CAP) if math.isfinite(percent) else DISTANCE_CAP


class PictureAgreement(Agreement):
    """`psnr` in dB over all channels clipped to 0..1; the stream's is of its mean squared error.

    The whole output counts, what belongs to padding too. At most `PSNR_CAP`. A picture that is not finite
    counts with the largest error, 1, which is 0 dB.
    """

    _sums = ("_errors",)

    def __init__(self, output: str, preprocessing: Preprocessing) -> None:
        super().__init__()
        self._output, self._preprocessing = output, preprocessing
        self._errors: list[float] = []

    def _add(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]:
        a, b = pair(reference, output, self._output)
        finite = bool(torch.isfinite(a).all() and torch.isfinite(b).all())
        error = squared_error(*(colors(t, self._preprocessing) for t in (a, b))) if finite else 1.0
        self._errors.append(error)
        return {PSNR.name: psnr(error)}

    def _pooled(self) -> dict[str, float]:
        return {PSNR.name: psnr(sum(self._errors) / self.frames)}


def colors(picture: Tensor, preprocessing: Preprocessing) -> Tensor:
    """A picture C×H×W in the units of the input as colours or luma in 0..1, not rounded."""
    mean, std = (
        torch.tensor(v, dtype=torch.float32, device="cpu").view(-1, 1, 1)
        for v in (preprocessing.mean, preprocessing.std)
    )
    return ((picture * std + mean) / (255 * preprocessing.scale)).clamp(0, 1)


def squared_error(a: Tensor, b: Tensor) -> float:
    """The mean squared error of two pictures of one shape."""
    return float((a.double() - b.double()).square().mean())


def psnr(error: float) -> float:
    """10·log₁₀(1/error) in dB for a mean squared error of values in 0..1, at most `PSNR_CAP`."""
    return min(PSNR_CAP, -10 * math.log10(error)) if error > 0 else PSNR_CAP
