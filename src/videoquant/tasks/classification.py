"""Classification: the most probable class of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.network.graph import Network
from videoquant.tasks.base import Agreement, Mean, Measure, Task, is_probability, one
from videoquant.tasks.drawing import Canvas

TOP1 = Measure("top1", "top-1 agreement")


@dataclass(frozen=True)
class Classification(Task):
    """One class of many, from one output of C scores: 1×C, or 1×C×1×1.

    probabilities: whether the scores are probabilities already, else logits.
    """

    name: ClassVar[str] = "classification"

    probabilities: bool

    @classmethod
    def of(cls, network: Network) -> Classification | None:
        """The task by the first output that is a list of two or more numbers; None where there is none."""
        for output, value in network.outputs.items():
            shape = network.shapes[value][1:]
            if shape and 1 < max(shape) == torch.Size(shape).numel():
                return cls(output, network.size, network.preprocessing, is_probability(network, output))
        return None

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (TOP1,)

    def agreement(self) -> Agreement:
        return Mean(TOP1.name, self.primary, same_class)

    def draw(self, pixels: NDArray[np.uint8], outputs: dict[str, Tensor]) -> NDArray[np.uint8]:
        """The index of the best class and its probability, as a label on the frame."""
        scores = one(outputs, self.primary).flatten()
        canvas = Canvas(pixels)
        if bool(torch.isfinite(scores).all()):
            shares = scores if self.probabilities else torch.softmax(scores, 0)
            canvas.label(f"class {int(shares.argmax())}   {float(shares.max()):.0%}")
        else:
            canvas.label("no class: not finite")
        return canvas.picture()


def same_class(reference: Tensor, output: Tensor) -> float:
    """1.0 where the largest score of both is at the same place, else 0.0; 0.0 where either is not finite."""
    finite = bool(torch.isfinite(reference).all() and torch.isfinite(output).all())
    return float(finite and int(reference.flatten().argmax()) == int(output.flatten().argmax()))
