"""Ranges that are measured on a frame's own values: the native engine asks for them while it runs a program.

Ranges that are predicted it sets itself (docs/plan.md, range updates).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.engine.tables import unsigned
from videoquant.runtime.session import Measure
from videoquant.schemes import Scheme
from videoquant.simulate.activations import DynamicGrid


@dataclass(frozen=True)
class Measured:
    """One range. slot, shape: of the value, and its shape in the network. source: how its grid is made."""

    slot: int
    shape: tuple[int, ...]
    source: DynamicGrid


def measured_ranges(program: dict[str, Any], scheme: Scheme) -> dict[int, Measured]:
    """The ranges that a program has measured, by the number of its update."""
    found = {}
    for number, update in enumerate(program["updates"]):
        if "measure" in update:
            wanted = update["measure"]
            source = DynamicGrid(scheme.range_estimator, wanted["bits"], wanted["symmetric"])
            found[number] = Measured(update["slot"], tuple(wanted["shape"]), source)
    return found


def measuring(ranges: dict[int, Measured], input: Tensor) -> Measure | None:
    """What the native engine calls, for one frame; None where nothing is measured. input: the network's."""
    return partial(_measure, ranges, input) if ranges else None


def _measure(
    ranges: dict[int, Measured], input: Tensor, update: int, value: NDArray[np.float32]
) -> tuple[float, int, int, int]:
    wanted = ranges[update]
    x = input if wanted.slot == 0 else as_value(value, wanted.shape)
    grid = unsigned(wanted.source.grid(x, {}))
    return grid["scale"], grid["zero"], grid["low"], grid["high"]


def as_value(array: NDArray[np.float32], shape: Sequence[int]) -> Tensor:
    """An array h×w×c as the network has the value, 1×C×H×W or 1×C, mostly on the same memory."""
    return torch.from_numpy(array.transpose(2, 0, 1).reshape(tuple(shape)))
