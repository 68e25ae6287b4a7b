"""The file of a training: everything it needs to go on as if it had never stopped. No pickle."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from videoquant.errors import DataError, refused_as
from videoquant.torch_file import check_tensors, read_tensors, write_tensors
from videoquant.typed_json import read

FORMAT = "videoquant training 1"
SIDE = "training"  # the key of the JSON text in the file's header
# What an optimizer remembers of every parameter that it has moved.
SLOTS = {SGD: ("momentum_buffer",), AdamW: ("step", "exp_avg", "exp_avg_sq")}


@dataclass
class Progress:
    """Where a training stands.

    step: the next one, over all epochs.
    loss: the sum over the steps of the epoch begun.
    history: a dict per finished epoch: epoch (from 1), loss (mean), learning_rate (of its last step), and the
        scores by name under "validation" where it was scored.
    """

    step: int = 0
    loss: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


def save_state(
    path: Path,
    setup: dict[str, Any],
    progress: Progress,
    module: nn.Module,
    average: nn.Module,
    optimizer: Optimizer,
) -> None:
    """Write a training's state, whole or not at all.

    setup: what must be the same to go on: network, data, recipe, processes.
    """
    tensors = {f"module.{k}": v for k, v in module.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    for number, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{k}": v for k, v in slots.items() if isinstance(v, Tensor)}
    side = {
        "setup": setup,
        "step": progress.step,
        "loss": progress.loss,
        "history": progress.history,
    }
    write_tensors(path, tensors, {"format": FORMAT, SIDE: json.dumps(side)})


def load_state(
    path: Path,
    setup: dict[str, Any],
    module: nn.Module,
    average: nn.Module,
    optimizer: Optimizer,
) -> Progress:
    """Read a training's state into a fresh module, average and optimizer.

    Raises `DataError` for a file that is missing, damaged or no training, and where `setup` differs.
    """
    if not os.path.exists(path):
        raise DataError(f"{path}: no such file; a training is resumed in the folder that it wrote to")
    header, tensors = read_tensors(path, FORMAT, "training of videoquant", DataError)
    with refused_as(DataError, f"{path}: no training of videoquant, or damaged"):
        side = read(dict[str, Any], json.loads(header[SIDE]), f"{path}: {SIDE}", DataError)
        begun = read(dict[str, Any], side.pop("setup"), f"{path}: setup", DataError)
        for key in sorted({*setup, *begun}):
            before, now = begun.get(key), setup.get(key)
            if before != now:
                raise DataError(
                    f"{path}: was begun with {_difference(key, before, now)}; resume it with the same"
                )
        progress: Progress = read(Progress, side, str(path), DataError)
        if progress.step < 0:
            raise DataError(f"{path}: step is {progress.step}")
        parts = {"module": module, "average": average}
        for part, owner in parts.items():
            check_tensors(_within(tensors, f"{part}."), owner.state_dict(), f"{path}: {part}", DataError)
        slots = _slots(_within(tensors, "optimizer."), optimizer, f"{path}: optimizer")
        # Only now, with everything known to fit, is any of it changed.
        for part, owner in parts.items():
            owner.load_state_dict(_within(tensors, f"{part}."))
        optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
    return progress


def _slots(tensors: dict[str, Tensor], optimizer: Optimizer, what: str) -> dict[int, dict[str, Tensor]]:
    """What the optimizer remembers, by the number of the parameter, checked against the parameters."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        if not number.isdecimal() or int(number) >= len(parameters):
            raise DataError(f"{what}: {key!r} is of no parameter")
        slots.setdefault(int(number), {})[name] = tensor
    for place, found in slots.items():
        like = parameters[place]
        wanted = {name: like.new_zeros(()) if name == "step" else like for name in SLOTS[type(optimizer)]}
        check_tensors(found, wanted, f"{what}: parameter {place}", DataError)
        for name in ("step", "exp_avg_sq"):  # a count, and a mean of squares
            if name in found and not bool((found[name] >= 0).all()):
                raise DataError(f"{what}: {name} of parameter {place} is below 0")
    return slots


def save_weights(path: Path, module: nn.Module, about: dict[str, str]) -> None:
    """Write a module's parameters as fp16, for `models.create(..., checkpoint=path)`.

    about: text for the file's header, such as the data and the command.
    """
    tensors = {
        key: tensor.half() if tensor.is_floating_point() else tensor
        for key, tensor in module.state_dict().items()
    }
    write_tensors(path, tensors, about)


def _within(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _difference(key: str, before: Any, now: Any) -> str:
    """ "recipe seed 0, not 1": of settings only the first that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        name = next(name for name in sorted({*before, *now}) if before.get(name) != now.get(name))
        return f"{key} {_difference(name, before.get(name), now.get(name))}"
    return f"{key} {before}, not {now}"
