"""Metrics against ground truth, one class each: they sum up a stream in constant memory.

`update` counts one sample and returns its own values by name; `result` gives those of the stream so far and
raises `DataError` before the first sample. Either leaves out what had nothing to measure, such as the joints
of a person of whom none is visible. Nothing is ever NaN: what is not finite counts as wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.data.targets import Joints, LabelMap, Landmarks, Picture
from videoquant.errors import DataError
from videoquant.network.ycbcr import luma
from videoquant.tasks.base import Measure
from videoquant.tasks.confusion import class_ious, confusion
from videoquant.tasks.super_resolution import PSNR_CAP

MIOU = Measure("miou", "mIoU")
PCK_SHARE = Measure("pck", "PCK")
NME_MEAN = Measure("nme", "NME", "%", higher_is_better=False, digits=2)
FAILURE_RATE = Measure("failure_rate", "FR", "%", higher_is_better=False, digits=2)
PSNR_Y = Measure("psnr_y", "PSNR-Y", "dB", digits=2)
NME_CAP = 100.0  # percent; also the error of points that are not finite


class ConfusionMatrix:
    """`miou`: the mean over classes of intersection/union, from one confusion matrix of the stream.

    classes: how many there are, e.g. 11 of CamVid.
    counts: int64 classes×(classes + 1), how often each class (row) was taken for each (column); the last
        column counts pixels without a prediction. Void pixels are in no count.
    """

    measures = (MIOU,)

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts = np.zeros((classes, classes + 1), dtype=np.int64)

    def update(self, predicted: NDArray[np.integer[Any]], target: LabelMap) -> dict[str, float]:
        """predicted: H×W classes of the target's size, −1 where there is none."""
        if predicted.shape != target.labels.shape:
            sizes = " and ".join("×".join(map(str, a.shape)) for a in (predicted, target.labels))
            raise DataError(f"predicted classes and labels differ in size: {sizes}")
        counted = target.labels != target.void
        rows, columns = target.labels[counted].astype(np.int64), predicted[counted].astype(np.int64)
        for what, values, low in (("label", rows, 0), ("predicted class", columns, -1)):
            if values.size and not low <= values.min() <= values.max() < self.classes:
                wrong = values.min() if values.min() < low else values.max()
                raise DataError(f"a {what} is {wrong}; there are {self.classes} classes")
        columns[columns < 0] = self.classes
        counts = confusion(rows, columns, (self.classes, self.classes + 1))
        self.counts += counts
        return _miou(class_ious(counts))

    def result(self) -> dict[str, float]:
        if not self.counts.any():
            raise DataError("no labelled pixel has been scored, so there is no mIoU")
        return _miou(self.per_class())

    def per_class(self) -> list[float | None]:
        """The IoU of every class; None for one that is neither labelled nor predicted."""
        return class_ious(self.counts)


class TopK:
    """`top1_accuracy`, `top5_accuracy`: the share of samples whose class is among the k largest scores.

    ks: the values of k. Of equal scores the one with the lower index is the larger.
    """

    def __init__(self, ks: Sequence[int] = (1, 5)) -> None:
        self.ks = tuple(ks)
        self.measures = tuple(Measure(f"top{k}_accuracy", f"top-{k}") for k in self.ks)
        self.samples, self._hits = 0, [0] * len(self.ks)

    def update(self, scores: NDArray[np.floating[Any]], index: int) -> dict[str, float]:
        """scores: one per class. index: the right class. Scores that are not all finite are wrong."""
        if not 0 <= index < len(scores):
            raise DataError(f"class {index} is none of the {len(scores)} that the network scores")
        right = scores[index]
        rank = int((scores > right).sum() + (scores[:index] == right).sum())
        hits = [int(rank < k and bool(np.isfinite(scores).all())) for k in self.ks]
        self.samples += 1
        self._hits = [total + hit for total, hit in zip(self._hits, hits, strict=True)]
        return {m.name: float(hit) for m, hit in zip(self.measures, hits, strict=True)}

    def result(self) -> dict[str, float]:
        _some(self.samples)
        return {m.name: total / self.samples for m, total in zip(self.measures, self._hits, strict=True)}


class PCK:
    """`pck`: the share of visible joints that lie within `alpha` times the longer side of the person's box.

    joints: how many a person has. Pooled over the joints of the stream. Yang and Ramanan, TPAMI 2013, with
    the unit of later work on JHMDB.
    """

    measures = (PCK_SHARE,)

    def __init__(self, joints: int, alpha: float = 0.2) -> None:
        self.alpha = alpha
        self.samples = 0
        self._right, self._seen = np.zeros(joints, dtype=np.int64), np.zeros(joints, dtype=np.int64)

    def update(self, points: NDArray[np.float32], target: Joints) -> dict[str, float]:
        """points: P×2 in pixels of the picture."""
        _same_points(points, target.points)
        distance = np.linalg.norm(points.astype(np.float64) - target.points, axis=1)
        # Not finite: the comparison is False.
        right = (distance <= self.alpha * max(target.box[2:])) & target.visible
        self._right += right
        self._seen += target.visible
        self.samples += 1
        return _pck(int(right.sum()), int(target.visible.sum()))

    def result(self) -> dict[str, float]:
        _some(self.samples)
        return _pck(int(self._right.sum()), int(self._seen.sum()))

    def per_joint(self) -> list[float | None]:
        """The share of every joint; None for one that was never visible."""
        pairs = zip(self._right.tolist(), self._seen.tolist(), strict=True)
        return [right / seen if seen else None for right, seen in pairs]


class NME:
    """`nme`, `failure_rate`: the mean distance of landmarks over the distance of the outer eye corners.

    In percent; the rate is the share of faces above `limit`, 10 %: FR(0.1). At most `NME_CAP` per face.
    All points count, hidden ones too, as in the benchmarks of COFW, WFLW and 300W.
    """

    measures = (NME_MEAN, FAILURE_RATE)

    def __init__(self, limit: float = 10.0) -> None:
        self.limit = limit
        self.samples, self._sum, self._failures = 0, 0.0, 0

    def update(self, points: NDArray[np.float32], target: Landmarks) -> dict[str, float]:
        """points: P×2 in pixels of the picture. Raises `DataError` where the two eyes are in one place."""
        _same_points(points, target.points)
        if not target.inter_ocular > 0:
            raise DataError(
                "the landmarks of both eyes are in one place, so there is no NME; mend the labels"
            )
        error = float(np.linalg.norm(points.astype(np.float64) - target.points, axis=1).mean())
        nme = 100 * error / target.inter_ocular
        nme = min(NME_CAP, nme) if math.isfinite(nme) else NME_CAP
        failed = int(nme > self.limit)
        self.samples, self._sum, self._failures = self.samples + 1, self._sum + nme, self._failures + failed
        return {NME_MEAN.name: nme, FAILURE_RATE.name: 100.0 * failed}

    def result(self) -> dict[str, float]:
        _some(self.samples)
        rate = 100 * self._failures / self.samples
        return {NME_MEAN.name: self._sum / self.samples, FAILURE_RATE.name: rate}


class PsnrY:
    """`psnr_y` in dB: on the luma of ITU-R BT.601 (16–235, peak 255), without a border of `scale` pixels.

    The stream's is the mean over pictures, as papers give it; a picture's is at most `PSNR_CAP`.
    """

    measures = (PSNR_Y,)

    def __init__(self) -> None:
        self.samples, self._sum = 0, 0.0

    def update(self, pixels: NDArray[np.uint8], target: Picture) -> dict[str, float]:
        """pixels: uint8 of the target's size, RGB H×W×3 or the luma itself H×W."""
        if pixels.shape[:2] != target.pixels.shape[:2]:
            sizes = " and ".join(f"{a.shape[0]}×{a.shape[1]}" for a in (pixels, target.pixels))
            raise DataError(f"the upscaled picture and its target differ in size: {sizes}")
        border = target.scale
        inner = (slice(border, -border), slice(border, -border))
        y = pixels.astype(np.float64) if pixels.ndim == 2 else luma(pixels)
        difference = y[inner] - luma(target.pixels)[inner]
        if not difference.size:
            raise DataError(f"a picture of {pixels.shape[0]}×{pixels.shape[1]} is all border of {border}")
        error = float(np.square(difference).mean())
        value = min(PSNR_CAP, 10 * math.log10(255**2 / error)) if error else PSNR_CAP
        self.samples, self._sum = self.samples + 1, self._sum + value
        return {PSNR_Y.name: value}

    def result(self) -> dict[str, float]:
        _some(self.samples)
        return {PSNR_Y.name: self._sum / self.samples}


def _same_points(points: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    if points.shape != target.shape:
        raise DataError(f"the network gives {len(points)} points, the data set has {len(target)}")


def _some(samples: int) -> None:
    if not samples:
        raise DataError("no sample has been scored, so there is no result; call update first")


def _pck(right: int, seen: int) -> dict[str, float]:
    return {PCK_SHARE.name: right / seen} if seen else {}


def _miou(shares: list[float | None]) -> dict[str, float]:
    """The mean over the classes that are there."""
    present = [share for share in shares if share is not None]
    return {MIOU.name: sum(present) / len(present)} if present else {}
