"""The averaged weights of a training: smoother than the last step's, and as a rule better."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


def averaged_copy(module: _Module) -> _Module:
    """A copy in eval mode for `update_average`, which no gradient reaches."""
    return deepcopy(module).eval().requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, decay: float, step: int) -> None:
    """average ← d·average + (1 − d)·module for parameters and floating-point buffers; counters are copied.

    d: `decay`, but smaller in the first steps (step counts from 0), when the weights are still far off:
    (1 + step)/(10 + step).
    """
    decay = min(decay, (1 + step) / (10 + step))
    theirs = module.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(theirs[name], 1 - decay)
        else:
            value.copy_(theirs[name])
