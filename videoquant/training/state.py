"""The file of a training: everything it needs to go on as if it had never stopped. No pickle."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from videoquant.errors import DataError, OutputError
from videoquant.files import atomic_write, check_file, reason

FORMAT = "videoquant training 1"
SIDE = "training"  # the key of the JSON text in the file's header


@dataclass
class Progress:
    """Where a training stands.

    step: the next one, over all epochs. loss: the sum over the steps of the epoch begun. history: a dict per
    finished epoch: epoch (from 1), loss (mean), learning_rate (of its last step), and the scores by name
    under "validation" where it was scored.
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
    check_file(path, DataError)
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            side = json.loads(header[SIDE]) if header.get("format") == FORMAT else None
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise DataError(f"{path}: is damaged or no training of videoquant") from error
    if side is None:
        raise DataError(f"{path}: is no training of videoquant")
    for key in sorted({*setup, *side["setup"]}):
        before, now = side["setup"].get(key), setup.get(key)
        if before != now:
            raise DataError(
                f"{path}: was begun with {_difference(key, before, now)}; resume it with the same"
            )
    for prefix, owner in (("module.", module), ("average.", average)):
        owner.load_state_dict(_within(tensors, prefix))
    slots: dict[int, dict[str, Tensor]] = {}
    for key, tensor in _within(tensors, "optimizer.").items():
        number, _, name = key.partition(".")
        slots.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
    return Progress(side["step"], side["loss"], side["history"])


def save_weights(path: Path, module: nn.Module, about: dict[str, str]) -> None:
    """Write a module's parameters as fp16, for `models.create(..., checkpoint=path)`.

    about: text for the file's header, such as the data and the command.
    """
    tensors = {
        key: tensor.half() if tensor.is_floating_point() else tensor
        for key, tensor in module.state_dict().items()
    }
    write_tensors(path, tensors, about)


def write_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    """A safetensors file, whole or not at all. Raises `OutputError` where it cannot be written."""
    with atomic_write(path) as temporary:
        try:
            save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, header)
        except SafetensorError as error:  # a full disk is one to safetensors, and no OSError
            raise OutputError(f"{path}: cannot be written: {reason(error)}") from None


def _within(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _difference(key: str, before: Any, now: Any) -> str:
    """ "recipe seed 0, not 1": of settings only the first that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        name = next(name for name in sorted({*before, *now}) if before.get(name) != now.get(name))
        return f"{key} {_difference(name, before.get(name), now.get(name))}"
    return f"{key} {before}, not {now}"
