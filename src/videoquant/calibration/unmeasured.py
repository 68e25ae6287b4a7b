"""Whether calibration frames show what the network's task measures: an empty street teaches no keypoints."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from videoquant.errors import DataError
from videoquant.network.graph import Network
from videoquant.tasks import task_for
from videoquant.tasks.agreement import agreement_for

FRAMES = 8  # about so many are looked at, until one shows something


def unmeasured(network: Network, frames: Sequence[Tensor]) -> str:
    """The name of the task's first measure where it has nothing to measure in frames; else empty.

    frames: network inputs.
    """
    task = task_for(network)
    if task is None or any(len(frame) != 1 for frame in frames):
        return ""
    first, agreement = task.measures[0], agreement_for(task)
    for frame in frames[:: max(1, len(frames) // FRAMES)]:
        with torch.no_grad():
            y = network.run(frame)
        try:
            if first.name in agreement.update(y, y):
                return ""
        except DataError:  # the network's outputs are not its task's: what compares them says so
            return ""
    return first.label
