"""What a task is trained on: how a sample becomes an example, and what the loss is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from videoquant.data.dataset import Dataset, Sample
from videoquant.data.targets import LabelMap, Picture
from videoquant.errors import DataError
from videoquant.models.base import Model
from videoquant.training.augmentation import Pixels, Window, cut, jittered
from videoquant.training.losses import hard_cross_entropy
from videoquant.training.recipe import Recipe

GREY = 128  # what stands outside a picture


@dataclass
class Objective(ABC):
    """The examples and the loss of one task on one data set.

    `example` uses NumPy and Pillow only, so that threads can call it; `collate` makes tensors of a batch.
    """

    task: ClassVar[str]

    model: Model
    dataset: Dataset
    recipe: Recipe

    @abstractmethod
    def read(self, sample: Sample) -> tuple[Pixels, Pixels]:
        """The picture and what belongs to it, uint8. Raises `DataError` where they do not fit together."""

    @abstractmethod
    def example(self, pair: tuple[Pixels, Pixels], random: np.random.Generator) -> tuple[Pixels, Pixels]:
        """A random crop of what `read` gave."""

    @abstractmethod
    def targets(self, values: NDArray[np.uint8]) -> Tensor:
        """What the loss compares outputs with, from N examples' second halves."""

    @abstractmethod
    def loss(self, outputs: Tensor | tuple[Tensor, Tensor], targets: Tensor) -> Tensor:
        """The loss of a batch, a scalar; outputs as the model gives them in training mode."""

    def collate(self, examples: list[tuple[Pixels, Pixels]]) -> tuple[Tensor, Tensor]:
        """A batch: inputs float32 N×C×h×w as the model expects them, and `targets`."""
        inputs = self.prepared(np.stack([pixels for pixels, _ in examples]))
        return inputs, self.targets(np.stack([values for _, values in examples]))

    def prepared(self, pictures: NDArray[np.uint8]) -> Tensor:
        """N×h×w×3 pictures as the model's inputs, float32 N×C×h×w."""
        count, height, width, _ = pictures.shape
        # As one tall picture: nothing is resized, so that every pixel is prepared by itself.
        column = pictures.reshape(count * height, width, 3)
        prepared = self.model.config.preprocessing.prepare(column, (count * height, width))
        return prepared[0].view(-1, count, height, width).transpose(0, 1).contiguous()


class SegmentationObjective(Objective):
    """Crops at random scales, mirrored, in other light; cross-entropy of hard pixels."""

    task = "segmentation"

    def read(self, sample: Sample) -> tuple[Pixels, Pixels]:
        target = sample.target
        assert isinstance(target, LabelMap)
        return sample.pixels, target.labels

    def example(self, pair: tuple[Pixels, Pixels], random: np.random.Generator) -> tuple[Pixels, Pixels]:
        pixels, labels = pair
        recipe = self.recipe
        window = Window.draw(random, pixels.shape, recipe.crop, recipe.scales)
        pixels = cut(pixels, window, recipe.crop, GREY, smooth=True)
        labels = cut(labels, window, recipe.crop, self.void, smooth=False)
        if random.integers(2):
            pixels, labels = pixels[:, ::-1], labels[:, ::-1]
        return jittered(pixels, random, recipe.jitter), labels

    @cached_property
    def void(self) -> int:
        """The id of pixels that no loss counts, from the first label map."""
        target = self.dataset[0].target
        assert isinstance(target, LabelMap)
        return target.void

    def targets(self, values: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(values).long()

    def loss(self, outputs: Tensor | tuple[Tensor, Tensor], targets: Tensor) -> Tensor:
        heads = (outputs,) if isinstance(outputs, Tensor) else outputs
        weights = (1.0, *(self.recipe.auxiliary,) * (len(heads) - 1))
        hard = self.recipe.hard
        losses = (
            w * hard_cross_entropy(h, targets, self.void, hard) for w, h in zip(weights, heads, strict=True)
        )
        return torch.stack(list(losses)).sum()


class SuperResolutionObjective(Objective):
    """Crops at the low resolution, mirrored and turned; mean squared error."""

    task = "super-resolution"

    def read(self, sample: Sample) -> tuple[Pixels, Pixels]:
        target = sample.target
        assert isinstance(target, Picture)
        low = sample.pixels
        if low.shape[0] < self.recipe.crop[0] or low.shape[1] < self.recipe.crop[1]:
            raise DataError(
                f"{sample.name}: {low.shape[0]}×{low.shape[1]} is smaller than a crop of "
                f"{self.recipe.crop[0]}×{self.recipe.crop[1]}; give a smaller one"
            )
        return low, target.pixels

    def example(self, pair: tuple[Pixels, Pixels], random: np.random.Generator) -> tuple[Pixels, Pixels]:
        low, high = pair
        scale = high.shape[0] // low.shape[0]
        height, width = self.recipe.crop
        top, left = (int(random.integers(low.shape[d] - (height, width)[d] + 1)) for d in (0, 1))
        low = low[top : top + height, left : left + width]
        high = high[scale * top : scale * (top + height), scale * left : scale * (left + width)]
        mirror = tuple(slice(None, None, 1 - 2 * int(random.integers(2))) for _ in range(2))
        low, high = low[mirror], high[mirror]
        if height == width and random.integers(2):
            low, high = low.swapaxes(0, 1), high.swapaxes(0, 1)
        return low, high

    def targets(self, values: NDArray[np.uint8]) -> Tensor:
        """The pictures in high resolution in the units of the input, which are those of the output."""
        return self.prepared(values)

    def loss(self, outputs: Tensor | tuple[Tensor, Tensor], targets: Tensor) -> Tensor:
        assert isinstance(outputs, Tensor)
        if outputs.shape != targets.shape:
            ours, theirs = (t.shape[-1] // self.recipe.crop[1] for t in (outputs, targets))
            raise DataError(
                f"the network enlarges by {ours}, {self.dataset.name}#{self.dataset.split} by {theirs}; "
                f"open its split x{ours}"
            )
        return F.mse_loss(outputs.float(), targets)


OBJECTIVES: dict[str, type[Objective]] = {
    kind.task: kind for kind in (SegmentationObjective, SuperResolutionObjective)
}


def objective_for(model: Model, dataset: Dataset, recipe: Recipe) -> Objective:
    """What trains a model on a data set.

    Raises `DataError` where there is no training for its task, or the data set is labelled for another or
    with another number of classes.
    """
    task = str(model.config.preprocessing.task)
    if task not in OBJECTIVES:
        raise DataError(f"there is no training for {task}; there is for {', '.join(OBJECTIVES)}")
    if dataset.task != task:
        raise DataError(f"the network is for {task}; {dataset.name} is labelled for {dataset.task}")
    classes, labels = model.config.num_classes, len(dataset.labels)
    if classes is not None and classes != labels:
        raise DataError(f"the network has {classes} classes, {dataset.name} has {labels}")
    return OBJECTIVES[task](model, dataset, recipe)
