"""What a task is trained on: how a sample becomes an example, and what the loss is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from videoquant.data.dataset import Dataset, Sample
from videoquant.data.targets import LabelMap, Picture
from videoquant.errors import DataError
from videoquant.models.base import Model
from videoquant.network.preprocessing import Preprocessing
from videoquant.training.augmentation import Pixels, Window, cut, jittered, resized
from videoquant.training.camera import PAN, Camera, film, noisy
from videoquant.training.losses import hard_cross_entropy
from videoquant.training.recipe import Recipe

GREY = 128  # what stands outside a picture
# A picture or a clip, and what belongs to it.
Pair = tuple[Pixels, Pixels]


class Objective(ABC):
    """The examples of a training and its loss.

    recipe: how it is trained.
    name: of the data, for messages.

    `example` uses NumPy and Pillow only, so that threads can call it; `collate` makes tensors of a batch.
    """

    recipe: Recipe
    name: str

    @abstractmethod
    def __len__(self) -> int:
        """How many pictures or clips there are."""

    @abstractmethod
    def pair(self, index: int) -> Pair:
        """One of them and what belongs to it, uint8. Raises `DataError` where they do not fit together."""

    @abstractmethod
    def example(self, pair: Pair, random: np.random.Generator) -> Pair:
        """What is trained on: a random crop of a pair."""

    @abstractmethod
    def collate(self, examples: list[Pair]) -> tuple[Tensor, Tensor]:
        """A batch: the model's inputs, and what the loss compares its outputs with."""

    @abstractmethod
    def loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """The loss of a batch, a scalar; outputs as the model gives them in training mode."""


@dataclass
class LabelledObjective(Objective):
    """Random crops of the labelled pictures of a data set.

    preprocessing: how pictures become the model's inputs.
    Raises `DataError` where a picture has no label.
    """

    task: ClassVar[str]

    preprocessing: Preprocessing
    dataset: Dataset
    recipe: Recipe

    def __post_init__(self) -> None:
        require_labels(self.dataset)

    @property
    def name(self) -> str:  # type: ignore[override]  # read only here
        return f"{self.dataset.name}#{self.dataset.split}"

    def __len__(self) -> int:
        return len(self.dataset)

    def pair(self, index: int) -> Pair:
        return self.read(self.dataset[index])

    @abstractmethod
    def read(self, sample: Sample) -> Pair:
        """The picture and what belongs to it, uint8. Raises `DataError` where they do not fit together."""

    @abstractmethod
    def unlabelled(self, sample: Sample) -> Pair:
        """A picture of a video without a label, and what says so to the loss.

        Raises `DataError` where the loss counts every picture.
        """

    @abstractmethod
    def film(self, pair: Pair, frames: int, random: np.random.Generator) -> Pair:
        """A clip of so many frames over a picture, as of a moving camera, and what belongs to each frame."""

    @abstractmethod
    def targets(self, values: Pixels) -> Tensor:
        """What the loss compares outputs with, from N examples' second halves."""

    def collate(self, examples: list[Pair]) -> tuple[Tensor, Tensor]:
        """Inputs float32 N×C×h×w as the model expects them, and `targets`."""
        inputs = self.prepared(np.stack([pixels for pixels, _ in examples]))
        return inputs, self.targets(np.stack([values for _, values in examples]))

    def prepared(self, pictures: Pixels) -> Tensor:
        """N×h×w×3 pictures as the model's inputs, float32 N×C×h×w."""
        count, height, width, _ = pictures.shape
        # As one tall picture: nothing is resized, so that every pixel is prepared by itself.
        column = pictures.reshape(count * height, width, 3)
        prepared = torch.from_numpy(self.preprocessing.prepare(column, (count * height, width)))
        return prepared[0].view(-1, count, height, width).transpose(0, 1).contiguous()


def require_labels(dataset: Dataset) -> None:
    """Raise `DataError` where a picture has no label. Reads no file."""
    unlabelled = next((sample.name for sample in dataset if not sample.is_labelled), None)
    if unlabelled is not None:
        raise DataError(f"{dataset.name}#{dataset.split}: {unlabelled} has no label to train on")


class SegmentationObjective(LabelledObjective):
    """Crops at random scales, mirrored, in other light; cross-entropy of hard pixels."""

    task = "segmentation"

    def read(self, sample: Sample) -> Pair:
        target = sample.target
        assert isinstance(target, LabelMap)
        return sample.pixels, target.labels

    def unlabelled(self, sample: Sample) -> Pair:
        pixels = sample.pixels
        return pixels, np.full(pixels.shape[:2], self.void, np.uint8)

    def example(self, pair: Pair, random: np.random.Generator) -> Pair:
        pixels, labels = pair
        recipe = self.recipe
        window = Window.draw(random, pixels.shape, recipe.crop, recipe.scales)
        pixels = cut(pixels, window, recipe.crop, GREY, smooth=True)
        labels = cut(labels, window, recipe.crop, self.void, smooth=False)
        if random.integers(2):
            pixels, labels = pixels[:, ::-1], labels[:, ::-1]
        return jittered(pixels, random, recipe.jitter), labels

    def film(self, pair: Pair, frames: int, random: np.random.Generator) -> Pair:
        # Resized first, antialiased as in training in floating point; the camera moves over that.
        pixels, labels = resized(*pair, random, self.recipe.scales)
        crop = self.recipe.crop
        maps = Camera.draw(random, pixels.shape, crop).maps(crop, frames)
        pixels = film(jittered(pixels, random, self.recipe.jitter), maps, crop, GREY, smooth=True)
        labels = film(labels, maps, crop, self.void, smooth=False)
        if random.integers(2):
            pixels, labels = pixels[:, :, ::-1], labels[:, :, ::-1]
        return noisy(pixels, random), labels

    @cached_property
    def void(self) -> int:
        """The id of pixels that no loss counts, from the first label map."""
        target = self.dataset[0].target
        assert isinstance(target, LabelMap)
        return target.void

    def targets(self, values: Pixels) -> Tensor:
        return torch.from_numpy(values).long()

    def loss(self, outputs: Tensor | tuple[Tensor, Tensor], targets: Tensor) -> Tensor:
        heads = (outputs,) if isinstance(outputs, Tensor) else outputs
        weights = (1.0, *(self.recipe.auxiliary,) * (len(heads) - 1))
        hard = self.recipe.hard
        losses = (
            w * hard_cross_entropy(h, targets, self.void, hard) for w, h in zip(weights, heads, strict=True)
        )
        return torch.stack(list(losses)).sum()


class SuperResolutionObjective(LabelledObjective):
    """Crops at the low resolution, mirrored and turned; mean squared error."""

    task = "super-resolution"

    def read(self, sample: Sample) -> Pair:
        target = sample.target
        assert isinstance(target, Picture)
        low = sample.pixels
        if low.shape[0] < self.recipe.crop[0] or low.shape[1] < self.recipe.crop[1]:
            raise DataError(
                f"{sample.name}: {low.shape[0]}×{low.shape[1]} is smaller than a crop of "
                f"{self.recipe.crop[0]}×{self.recipe.crop[1]}; give a smaller one"
            )
        return low, target.pixels

    def unlabelled(self, sample: Sample) -> Pair:
        raise DataError(f"{self.name}: {sample.name} has no label to train on")

    def example(self, pair: Pair, random: np.random.Generator) -> Pair:
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

    def film(self, pair: Pair, frames: int, random: np.random.Generator) -> Pair:
        """A camera that pans by whole pixels of the low resolution, so that nothing is resampled."""
        low, high = pair
        scale = high.shape[0] // low.shape[0]
        height, width = self.recipe.crop
        room = [low.shape[d] - (height, width)[d] for d in (0, 1)]
        place = np.array([random.integers(side + 1) for side in room])
        speed = random.uniform(-PAN, PAN, 2) * max(height, width) * random.uniform()
        clips: tuple[list[Pixels], list[Pixels]] = ([], [])
        for t in range(frames):
            top, left = (
                int(np.clip(round(p), 0, side)) for p, side in zip(place + t * speed, room, strict=True)
            )
            clips[0].append(low[top : top + height, left : left + width])
            top, left = scale * top, scale * left
            clips[1].append(high[top : top + scale * height, left : left + scale * width])
        return np.stack(clips[0]), np.stack(clips[1])

    def targets(self, values: Pixels) -> Tensor:
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


OBJECTIVES: dict[str, type[LabelledObjective]] = {
    kind.task: kind for kind in (SegmentationObjective, SuperResolutionObjective)
}


def objective_for(model: Model, dataset: Dataset, recipe: Recipe) -> LabelledObjective:
    """What trains a model on a data set; see `labelled_objective`."""
    return labelled_objective(model.config.preprocessing, model.config.num_classes, dataset, recipe)


def labelled_objective(
    preprocessing: Preprocessing, classes: int | None, dataset: Dataset, recipe: Recipe
) -> LabelledObjective:
    """What trains a network on a data set.

    preprocessing: the network's, which names its task.
    classes: how many it tells apart; None where it has no such number.
    Raises `DataError` where there is no training for its task, or the data set is labelled for another or
    with another number of classes, or not at all.
    """
    task = str(preprocessing.task)
    if task not in OBJECTIVES:
        raise DataError(f"there is no training for {task}; there is for {', '.join(OBJECTIVES)}")
    if dataset.task != task:
        raise DataError(f"the network is for {task}; {dataset.name} is labelled for {dataset.task}")
    labels = len(dataset.labels)
    if classes is not None and classes != labels:
        raise DataError(f"the network has {classes} classes, {dataset.name} has {labels}")
    return OBJECTIVES[task](preprocessing, dataset, recipe)
