"""Classification: the most probable class of a frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from videoquant.tasks.base import Graph, Measure, Task, is_probability, one
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
    def of(cls, network: Graph) -> Classification | None:
        """The task by the first output that is a list of two or more numbers; None where there is none."""
        for output, value in network.outputs.items():
            shape = network.shapes[value][1:]
            if shape and 1 < max(shape) == math.prod(shape):
                return cls(output, network.size, network.preprocessing, is_probability(network, output))
        return None

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (TOP1,)

    def draw(self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any]) -> NDArray[np.uint8]:
        """The index of the best class and its probability, as a label on the frame."""
        scores = one(outputs, self.primary).flatten()
        canvas = Canvas(pixels)
        if np.isfinite(scores).all():
            shares = scores if self.probabilities else softmax(scores)
            canvas.label(f"class {int(shares.argmax())}   {float(shares.max()):.0%}")
        else:
            canvas.label("no class: not finite")
        return canvas.picture()


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of a list of finite logits, computed in float64 and rounded to float32 once."""
    powers = np.exp(scores.astype(np.float64) - scores.max())
    shares: NDArray[np.float32] = (powers / powers.sum()).astype(np.float32)
    return shares
