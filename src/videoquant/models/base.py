"""What every network of this room has: a configuration, and what its checkpoints may lack or rename."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from videoquant.network.preprocessing import Preprocessing

# Of pixels / 255, RGB: what torchvision, HRNet and DDRNet subtract and divide by.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The configuration that all networks share; each file's `Config` adds its own.

    size: (height, width) of the input that the published figures are for; others work too.
    preprocessing: how the releases turn a frame into the input; pass it to `videoquant.capture`.
    num_classes: classes, or landmarks or joints; None where a network has no such number.
    """

    size: tuple[int, int]
    preprocessing: Preprocessing
    num_classes: int | None = None


class Model(nn.Module):
    """A network and its configuration.

    classes: the parameter whose first dimension is the number of classes; None where a network has none.
    training_only: prefixes of parameters that only training uses; a checkpoint may lack all of a prefix.
    aliases: prefixes that well-known checkpoints have in place of ours, alias → ours.
    """

    classes: ClassVar[str | None] = None
    training_only: ClassVar[tuple[str, ...]] = ()
    aliases: ClassVar[Mapping[str, str]] = {}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config


def imagenet(task: str) -> Preprocessing:
    """The normalisation of networks that start from ImageNet weights; classifiers see the frame's centre."""
    classifies = task == "classification"
    return Preprocessing(
        mean=IMAGENET_MEAN, std=IMAGENET_STD, fit="crop" if classifies else "stretch", task=task
    )
