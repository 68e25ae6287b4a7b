"""From outputs to a score: decode what a network says about a frame and hold it against the target.

Long because every task has its small class here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from videoquant.data.dataset import Dataset
from videoquant.data.targets import ClassLabel, Joints, LabelMap, Landmarks, Objects, Picture, Target
from videoquant.errors import DataError
from videoquant.tasks import landmarks, pose, segmentation
from videoquant.tasks.base import Measure, Task, one
from videoquant.tasks.classification import Classification
from videoquant.tasks.detection import Detection
from videoquant.tasks.detection.average_precision import AveragePrecision
from videoquant.tasks.drawing import Window
from videoquant.tasks.metrics import NME, PCK, ConfusionMatrix, PsnrY, TopK
from videoquant.tasks.super_resolution import SuperResolution

_Kind = TypeVar("_Kind")
LEAST_SCORE = 0.001  # of a box that mAP sees: precision falls slowly towards the weakest


class Score(ABC):
    """The score of a stream of outputs against targets, summed up in constant memory, but for mAP's.

    measures: what `update` and `result` give, the most telling first.
    """

    measures: tuple[Measure, ...]

    @abstractmethod
    def update(
        self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any], target: Target
    ) -> dict[str, float]:
        """Count one frame and return its own values by name, without those that had nothing to measure.

        pixels: the frame, uint8 RGB H×W×3.
        outputs: the network's, N = 1.
        Raises `DataError` where the target is of another kind or size than the outputs.
        """

    @abstractmethod
    def result(self) -> dict[str, float]:
        """The values of the stream so far, by name, without those that had nothing to measure.

        Raises `DataError` before the first labelled frame.
        """

    def per_label(self) -> dict[str, float | None]:
        """The first measure by the name of class or joint, where it can be told apart; {} where not."""
        return {}


def score_for(task: Task, dataset: Dataset) -> Score:
    """A fresh score of a task on a data set.

    Raises `DataError` where the task is another than the data set's, or the network has another number of
    classes.
    """
    for kind, score in _SCORES.items():
        if isinstance(task, kind) and task.name == dataset.task:
            return score(task, dataset)
    raise DataError(f"the network is for {task.name}; {dataset.name} is labelled for {dataset.task}")


class ClassScore(Score):
    """Top-1 and top-5 accuracy."""

    def __init__(self, task: Classification, dataset: Dataset) -> None:
        self._output, self._metric = task.primary, TopK()
        self._classes, self._name = len(dataset.labels), dataset.name
        self.measures = self._metric.measures

    def update(
        self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any], target: Target
    ) -> dict[str, float]:
        scores = one(outputs, self._output).flatten()
        if len(scores) != self._classes:
            raise DataError(f"the network has {len(scores)} classes, {self._name} has {self._classes}")
        return self._metric.update(scores, _kind(target, ClassLabel).index)

    def result(self) -> dict[str, float]:
        return self._metric.result()


class MapScore(Score):
    """mIoU at the frame's resolution; what the network did not see of the frame counts as wrong."""

    def __init__(self, task: segmentation.Segmentation, dataset: Dataset) -> None:
        if task.channels != len(dataset.labels):
            raise DataError(
                f"the network has {task.channels} classes, {dataset.name} has {len(dataset.labels)}"
            )
        self._task, self._labels = task, dataset.labels
        self._metric = ConfusionMatrix(task.channels)
        self.measures = self._metric.measures

    def update(
        self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any], target: Target
    ) -> dict[str, float]:
        task = self._task
        maps = one(outputs, task.primary)
        window = Window((pixels.shape[0], pixels.shape[1]), task.size, task.preprocessing)
        classes, seen = segmentation.class_map(maps, window)
        broken = window.map(np.asarray(~np.isfinite(maps).all(0), np.float32))
        classes[(seen < 0.5) | (broken > 0)] = -1
        return self._metric.update(classes, _kind(target, LabelMap))

    def result(self) -> dict[str, float]:
        return self._metric.result()

    def per_label(self) -> dict[str, float | None]:
        return dict(zip(self._labels, self._metric.per_class(), strict=True))


class JointScore(Score):
    """PCK@0.2 of one person, from heatmaps (`heatmap_points`) or from points of the network's own."""

    def __init__(self, task: pose.Keypoints | landmarks.BodyLandmarks, dataset: Dataset) -> None:
        self._task, self._labels = task, dataset.labels
        self._metric = PCK(len(dataset.labels))
        self.measures = self._metric.measures

    def update(
        self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any], target: Target
    ) -> dict[str, float]:
        task = self._task
        values = one(outputs, task.primary)
        if isinstance(task, pose.Keypoints):
            offset = one(outputs, "offset") if "offset" in outputs else None
            points = heatmap_points(values, task.size, task.start, offset)
        else:
            points = landmarks.plane(values, task.values)
        return self._metric.update(_in_frame(points, pixels, task), _kind(target, Joints))

    def result(self) -> dict[str, float]:
        return self._metric.result()

    def per_label(self) -> dict[str, float | None]:
        return dict(zip(self._labels, self._metric.per_joint(), strict=True))


class LandmarkScore(Score):
    """NME by the distance of the eyes, and FR(0.1)."""

    def __init__(self, task: landmarks.Landmarks, dataset: Dataset) -> None:
        self._task, self._metric = task, NME()
        self.measures = self._metric.measures

    def update(
        self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any], target: Target
    ) -> dict[str, float]:
        points = landmarks.plane(one(outputs, self._task.primary), self._task.values)
        return self._metric.update(_in_frame(points, pixels, self._task), _kind(target, Landmarks))

    def result(self) -> dict[str, float]:
        return self._metric.result()


class PictureScore(Score):
    """PSNR on Y of the picture rounded to 8 bits; of a luma network, on its Y as it is."""

    def __init__(self, task: SuperResolution, dataset: Dataset) -> None:
        self._task, self._dataset, self._metric = task, dataset, PsnrY()
        self.measures = self._metric.measures

    def update(
        self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any], target: Target
    ) -> dict[str, float]:
        target, factor = _kind(target, Picture), self._task.factor(outputs)
        if factor != target.scale:
            data = self._dataset
            split = data.split.removesuffix(f"x{target.scale}") + f"x{factor:g}"
            hint = f"open its split {split}" if split in data.splits else f"it has {', '.join(data.splits)}"
            raise DataError(
                f"the network enlarges ×{factor:g}, {data.name}#{data.split} is for ×{target.scale}; {hint}"
            )
        picture = self._task.picture(pixels, outputs)
        if picture.shape[:2] != target.pixels.shape[:2]:
            frame, size = ("×".join(map(str, pair)) for pair in (pixels.shape[:2], self._task.size))
            raise DataError(
                f"a frame of {frame} was resized to the input, {size}, so its picture is not of the target's "
                "size; set fit to pad, or capture the network at that size"
            )
        return self._metric.update(picture, target)

    def result(self) -> dict[str, float]:
        return self._metric.result()


class BoxScore(Score):
    """mAP and mAP50, see `detection.average_precision`, of all boxes of a score of `LEAST_SCORE` or more."""

    def __init__(self, task: Detection, dataset: Dataset) -> None:
        self._task, self._labels = task, dataset.labels
        self._places = _class_places(task, dataset)
        self._metric = AveragePrecision(len(dataset.labels))
        self.measures = self._metric.measures

    def update(
        self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any], target: Target
    ) -> dict[str, float]:
        found = self._task.boxes((pixels.shape[0], pixels.shape[1]), outputs, LEAST_SCORE)
        places = np.full(len(found), -1)
        known = found.classes < len(self._places)
        places[known] = self._places[found.classes[known]]
        shared = places >= 0
        return self._metric.update(
            replace(found, classes=places)[shared], _shared(_kind(target, Objects), self._places)
        )

    def result(self) -> dict[str, float]:
        return self._metric.result()

    def per_label(self) -> dict[str, float | None]:
        return dict(zip(self._labels, self._metric.per_class(), strict=True))


def _class_places(task: Detection, dataset: Dataset) -> NDArray[np.int64]:
    """Which of the data set's classes each of the network's is, −1 for none: by name, else by number.

    Raises `DataError` where names share nothing, or there are none and the numbers differ.
    """
    labels = [label.lower() for label in dataset.labels]
    if task.names:
        names = [name.lower() for name in task.names]
        places = [labels.index(name) if name in labels else -1 for name in names]
        if max(places) < 0:
            raise DataError(
                f"the network finds {', '.join(task.names[:4])} …, {dataset.name} is labelled with "
                f"{', '.join(dataset.labels[:4])} …; --names gives the network's classes other names"
            )
        return np.array(places)
    if task.classes not in (0, len(labels)):
        raise DataError(
            f"the network has {task.classes} classes, {dataset.name} has {len(labels)}; --names says which"
        )
    return np.arange(len(labels))


def _shared(target: Objects, places: NDArray[np.int64]) -> Objects:
    """The things of those classes that the network knows."""
    known = np.isin(target.classes, places)
    tracks = target.tracks[known] if len(target.tracks) else target.tracks
    return Objects(target.corners[known], target.classes[known], target.ignored[known], tracks)


_SCORES = {
    Detection: BoxScore,
    Classification: ClassScore,
    segmentation.Segmentation: MapScore,
    pose.Keypoints: JointScore,
    landmarks.BodyLandmarks: JointScore,
    landmarks.Landmarks: LandmarkScore,
    SuperResolution: PictureScore,
}


def heatmap_points(
    heatmap: NDArray[np.float32],
    size: tuple[int, int],
    start: tuple[float, float],
    offset: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The point (x, y) of every channel of K×h×w in pixels of the input, float32 K×2; NaN if not finite.

    The largest cell, moved by the network's own offset (2K×h×w, see `pose.positions`) where there is one,
    else a quarter of a cell towards the larger of its two neighbours in either direction (Newell, Yang, Deng:
    Stacked hourglass networks, ECCV 2016).
    size, start: see `pose.positions`.
    """
    channels, height, width = heatmap.shape
    flat = np.nan_to_num(heatmap, nan=-np.inf).reshape(channels, -1).argmax(1)
    rows, columns = flat // width, flat % width
    each = np.arange(channels)
    points = np.ascontiguousarray(pose.positions(heatmap, offset, size, start)[:, each, rows, columns].T)
    if offset is None:
        stride = np.array([size[1] / width, size[0] / height], np.float32)
        # At a border there is no second neighbour, and the point stays in the middle of its cell.
        across = (columns > 0) & (columns < width - 1)
        down = (rows > 0) & (rows < height - 1)
        left, right = (heatmap[each, rows, (columns + d).clip(0, width - 1)] for d in (-1, 1))
        above, below = (heatmap[each, (rows + d).clip(0, height - 1), columns] for d in (-1, 1))
        with np.errstate(invalid="ignore"):  # infinity less infinity; such a channel has no point
            towards = np.stack([np.sign(right - left) * across, np.sign(below - above) * down], 1)
        points += towards * stride / 4
    points[~np.isfinite(heatmap).reshape(channels, -1).all(1)] = np.nan
    return points


def _in_frame(points: NDArray[np.float32], pixels: NDArray[np.uint8], task: Task) -> NDArray[np.float32]:
    """(x, y) in pixels of the input to pixels of the frame; (0, 0) is the centre of either's first pixel."""
    window = Window((pixels.shape[0], pixels.shape[1]), task.size, task.preprocessing)
    half = np.float32(0.5)
    return window.points(points + half) - half


def _kind(target: Target, kind: type[_Kind]) -> _Kind:
    if not isinstance(target, kind):
        raise DataError(f"a target is a {type(target).__name__}; this task is scored on a {kind.__name__}")
    return target
