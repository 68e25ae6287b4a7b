"""Segmentation: masks from maps, their intersection over union, and their tint on the frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from videoquant.tasks.base import Graph, Measure, Task, one, probability, sigmoid, threshold_of
from videoquant.tasks.drawing import Window, palette, tint, tint_mask

MASK_IOU = Measure("mask_iou", "mask IoU")
MATTES = ("pha", "alpha", "alphas", "matte")  # what matting networks call their mask, beside the foreground


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
    def of(cls, network: Graph) -> Segmentation | None:
        """The task by the first output that is a map, of a matting network by its alpha; None without any."""
        shapes = {output: network.shapes[value] for output, value in network.outputs.items()}
        maps = [name for name, shape in shapes.items() if len(shape) == 4 and shape[2] * shape[3] > 1]
        mattes = [name for name in maps if name.lower() in MATTES and shapes[name][1] == 1]
        if not maps:
            return None
        output = (mattes or maps)[0]
        threshold = threshold_of(network, output)
        return cls(output, network.size, network.preprocessing, threshold, shapes[output][1])

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (MASK_IOU,)

    def draw(self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any]) -> NDArray[np.uint8]:
        """The foreground tinted and bordered, or every class in its colour (of two, only the second)."""
        maps = one(outputs, self.primary)
        window = Window((pixels.shape[0], pixels.shape[1]), self.size, self.preprocessing)
        if self.channels == 1:
            return tint_mask(pixels, window.map(probability(maps[0], self.threshold)))
        if self.channels == 2:
            maps = np.nan_to_num(maps)
            return tint_mask(pixels, window.map(sigmoid(maps[1] - maps[0])))
        classes, seen = class_map(maps, window)
        return tint(pixels, seen, palette(self.channels)[classes], 0.55)


def class_map(maps: NDArray[np.float32], window: Window) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Classes of maps C×h×w at the frame's resolution, and where the network saw the frame (1, else 0).

    The maps are resized before the largest is taken, for smooth borders; one class at a time and only those
    that win somewhere, for memory.
    """
    maps = np.nan_to_num(maps)
    present = np.unique(maps.argmax(0))
    classes = np.zeros(window.frame, dtype=np.int64)
    best = np.full(window.frame, -np.inf, dtype=np.float32)
    for index in present.tolist():
        value = window.map(maps[index])
        larger = value > best
        classes[larger], best[larger] = index, value[larger]
    return classes, window.map(np.ones((1, 1), np.float32))
