"""The training loop: batches in, averaged weights out, with its state on disk as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from videoquant.errors import DataError
from videoquant.interrupt import deferred_interrupt
from videoquant.network.builder import one_line
from videoquant.training.average import averaged_copy, update_average
from videoquant.training.batches import Batches
from videoquant.training.objectives import Objective
from videoquant.training.processes import Processes
from videoquant.training.recipe import Recipe
from videoquant.training.state import Progress, load_state, save_state
from videoquant.training.trainable import TrainableNetwork

STATE_FILE = "training.safetensors"
SAVE_SECONDS = 60  # between two writes of the state, which is four times as large as the network


class Trainer:
    """One training; `run` does it, or the rest of it.

    model: trained in place, from the weights it has.
    objective: what it is trained on.
    folder: where `STATE_FILE` is kept.
    resume: go on from that file.
    setup: further values that must be the same when it is resumed, e.g. names.

    After `run`, `average` is the result: the model with averaged weights, in eval mode.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        folder: Path,
        among: Processes,
        resume: bool = False,
        setup: dict[str, Any] | None = None,
    ) -> None:
        self.objective, self.recipe, self.among = objective, objective.recipe, among
        self.batches = Batches(objective, among.rank, among.world)
        # On CPUs with AVX-512 the backward pass of PyTorch 2.13 corrupts memory where layers of few channels
        # (8, say) are channels last; contiguous, the same network is sound and as a rule a tenth slower.
        self._layout = torch.channels_last if among.device.type == "cuda" else torch.contiguous_format
        self.model = model.to(among.device).train()
        self.model.to(memory_format=self._layout)  # type: ignore[call-overload]  # known to PyTorch
        self.average = averaged_copy(self.model)
        self.optimizer = optimizer_for(self.model, self.recipe)
        self._path = folder / STATE_FILE
        self._setup = {"recipe": self.recipe.to_dict(), "processes": among.world, **(setup or {})}
        self.progress = Progress()
        if resume:
            parts = (self.model, self.average, self.optimizer)
            self.progress = load_state(self._path, self._setup, *parts)
        elif self._path.exists() and among.is_first:
            raise DataError(f"{self._path}: holds a training; go on with --resume, or give another folder")
        self._module = among.wrap(self.model)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.batches.per_epoch * self.recipe.epochs

    @property
    def state_bytes(self) -> int:
        """What `STATE_FILE` takes up at least: the model, its average and one moment of each parameter."""
        return 3 * sum(p.numel() * p.element_size() for p in self.model.parameters())

    def run(
        self,
        validate: Callable[[Any], dict[str, float]] | None = None,
        every: int = 10,
        on_step: Callable[[], None] | None = None,
        on_epoch: Callable[[Progress], None] | None = None,
    ) -> bool:
        """Train to the end; False where Ctrl-C stopped it: after the step in hand, its state saved.

        validate: scores the averaged model, after every `every`-th epoch and the last, in the first process.
        on_step, on_epoch: called after each.
        Raises `DataError` where the loss is not finite.
        """
        saved = time.monotonic()
        with deferred_interrupt() as interrupted:
            while self.progress.step < self.steps:
                epoch, start = divmod(self.progress.step, self.batches.per_epoch)
                stopped = False
                for inputs, targets in self.batches.of_epoch(epoch, start):
                    self._step(inputs, targets)
                    if on_step:
                        on_step()
                    stopped = self.among.any(interrupted())
                    if stopped:
                        break
                if self.progress.step == (epoch + 1) * self.batches.per_epoch:
                    due = (epoch + 1) % every == 0 or epoch + 1 == self.recipe.epochs
                    self._end_epoch(epoch, validate if due else None)
                    if on_epoch:
                        on_epoch(self.progress)
                ended = self.progress.step == self.steps
                if stopped or ended or time.monotonic() - saved > SAVE_SECONDS:
                    self._save()
                    saved = time.monotonic()
                if stopped:
                    return ended
        return True

    def _step(self, inputs: Tensor, targets: Tensor) -> None:
        recipe, device = self.recipe, self.among.device
        rate = recipe.rate_at(self.progress.step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        inputs = inputs.to(device, non_blocking=True)
        if inputs.dim() == 4:
            inputs = inputs.to(memory_format=self._layout)
        try:
            with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
                outputs = self._module(inputs)
        except ValueError as error:  # batch norm refuses to norm a single value
            raise DataError(
                f"{type(self.model).__name__} cannot train on {len(inputs)} crops of "
                f"{recipe.crop[0]}×{recipe.crop[1]}: give a larger --batch or --crop ({one_line(error)})"
            ) from error
        loss = self.objective.loss(outputs, targets.to(device, non_blocking=True))
        value = self.among.total(loss.item()) / self.among.world
        if not value < float("inf"):
            where = ""
            if isinstance(self.model, TrainableNetwork):
                where = f", most of all the scale of {self.model.suspect()}"
            raise DataError(
                f"the loss is {value} in step {self.progress.step + 1}: the training has diverged{where}; "
                "try a lower --learning-rate"
            )
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        update_average(self.average, self.model, recipe.ema, self.progress.step)
        self.progress.step += 1
        self.progress.loss += value

    def _end_epoch(self, epoch: int, validate: Callable[[Any], dict[str, float]] | None) -> None:
        row: dict[str, Any] = {
            "epoch": epoch + 1,
            "loss": self.progress.loss / self.batches.per_epoch,
            "learning_rate": self.recipe.rate_at(self.progress.step - 1, self.steps),
        }
        if validate and self.among.is_first:
            row["validation"] = validate(self.average)
        self.progress.history.append(row)
        self.progress.loss = 0.0

    def _save(self) -> None:
        if self.among.is_first:
            parts = (self.model, self.average, self.optimizer)
            save_state(self._path, self._setup, self.progress, *parts)


def optimizer_for(module: nn.Module, recipe: Recipe) -> Optimizer:
    """The recipe's optimizer; vectors (biases, batch norm) do not decay."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return SGD(groups, lr=recipe.learning_rate, momentum=0.9)
    return AdamW(groups, lr=recipe.learning_rate)
