"""Segmentation: masks from maps, their intersection over union, and their tint on the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.network.graph import Network
from videoquant.tasks.base import Agreement, Measure, Task, one, pair, probability, threshold_of
from videoquant.tasks.drawing import Window, palette, tint, tint_mask

MASK_IOU = Measure("mask_iou", "mask IoU")


@dataclass(frozen=True)
class Segmentation(Task):
    """A class for every pixel, from one output 1×C×H×W.

    One channel is a mask: foreground above `threshold`, see `threshold_of`. Several: the class is the
    largest channel.
    """

    name: ClassVar[str] = "segmentation"

    threshold: float
    channels: int

    @classmethod
    def of(cls, network: Network) -> Segmentation | None:
        """The task by the first output that is a map; None where there is none."""
        for output, value in network.outputs.items():
            shape = network.shapes[value]
            if len(shape) == 4 and shape[2] * shape[3] > 1:
                threshold = threshold_of(network, output)
                return cls(output, network.size, network.preprocessing, threshold, shape[1])
        return None

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (MASK_IOU,)

    def agreement(self) -> Agreement:
        return MaskAgreement(self.primary, self.channels, self.threshold)

    def draw(self, pixels: NDArray[np.uint8], outputs: dict[str, Tensor]) -> NDArray[np.uint8]:
        """The foreground tinted and bordered, or every class in its colour (of two, only the second)."""
        maps = one(outputs, self.primary)
        window = Window((pixels.shape[0], pixels.shape[1]), self.size, self.preprocessing)
        if self.channels == 1:
            return tint_mask(pixels, window.map(probability(maps[0], self.threshold)))
        if self.channels == 2:
            maps = torch.nan_to_num(maps)
            return tint_mask(pixels, window.map(torch.sigmoid(maps[1] - maps[0])))
        classes, seen = class_map(maps, window)
        return tint(pixels, seen, palette(self.channels)[classes], 0.55)


class MaskAgreement(Agreement):
    """`mask_iou`: intersection over union of two masks or class maps, pooled in one confusion matrix.

    One channel: IoU of the foreground. Several: the mean of the classes' IoU, over classes present in either.
    None where both are empty. A pixel that is not finite in either counts as wrong: a broken output has 0.0.
    """

    def __init__(self, output: str, channels: int, threshold: float) -> None:
        super().__init__()
        self._output, self._threshold = output, threshold
        self._foreground = channels == 1
        self._counts = torch.zeros((max(2, channels),) * 2, dtype=torch.int64, device="cpu")

    def _add(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]:
        a, b = pair(reference, output, self._output)
        expected, got = labels(a, self._threshold), labels(b, self._threshold)
        broken = ~(torch.isfinite(a) & torch.isfinite(b)).all(0)
        got = torch.where(broken, (expected + 1) % len(self._counts), got)
        counts = confusion(expected, got, len(self._counts))
        self._counts += counts
        return self._measure(counts)

    def _pooled(self) -> dict[str, float]:
        return self._measure(self._counts)

    def _measure(self, counts: Tensor) -> dict[str, float]:
        iou = mean_iou(counts, self._foreground)
        return {} if iou is None else {MASK_IOU.name: iou}


def labels(maps: Tensor, threshold: float) -> Tensor:
    """The class of every pixel, int64 H×W, of maps C×H×W: above `threshold` for C = 1, else the largest."""
    return (maps[0] > threshold).long() if len(maps) == 1 else torch.nan_to_num(maps).argmax(0)


def confusion(expected: Tensor, got: Tensor, classes: int) -> Tensor:
    """How often each class (row) was taken for each (column): int64 classes×classes of two label maps."""
    return torch.bincount(expected.flatten() * classes + got.flatten(), minlength=classes**2).view(
        classes, classes
    )


def mean_iou(counts: Tensor, foreground: bool = False) -> float | None:
    """The mean IoU, diagonal/(row + column − diagonal), of the classes present; None where none is.

    foreground: only class 1 counts, the mask of a two-class confusion matrix.
    """
    both = counts.diagonal().double()
    either = counts.sum(0) + counts.sum(1) - both
    if foreground:
        both, either = both[1:], either[1:]
    present = either > 0
    return float((both[present] / either[present]).mean()) if bool(present.any()) else None


def class_map(maps: Tensor, window: Window) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Classes of maps C×h×w at the frame's resolution, and where the network saw the frame (1, else 0).

    The maps are resized before the largest is taken, for smooth borders; one class at a time and only those
    that win somewhere, for memory.
    """
    maps = torch.nan_to_num(maps)
    present = torch.unique(maps.argmax(0))
    classes = np.zeros(window.frame, dtype=np.int64)
    best = np.full(window.frame, -np.inf, dtype=np.float32)
    for index in present.tolist():
        value = window.map(maps[index])
        larger = value > best
        classes[larger], best[larger] = index, value[larger]
    return classes, window.map(torch.ones(1, 1, dtype=torch.float32, device="cpu"))
