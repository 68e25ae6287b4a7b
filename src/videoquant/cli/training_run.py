"""What both kinds of `videoquant train` share: their data, their progress, and what they write as they go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import typer

from videoquant.cli.console import note, progress_bar, say
from videoquant.data import catalog
from videoquant.data.dataset import Dataset
from videoquant.errors import DataError
from videoquant.files import check_writable
from videoquant.json_file import write_json
from videoquant.report.training_plot import write_training_plot
from videoquant.training.state import Progress
from videoquant.training.trainer import STATE_FILE, Trainer

HISTORY_FILE, CURVES_FILE = "history.json", "curves.png"


def training_data(dataset: str, validation: str | None) -> tuple[Dataset, Dataset | None]:
    """What is trained on, and what is scored: see the options of the same names."""
    opened = labelled(dataset)
    scored = labelled(validation) if validation else None
    if "train" in opened.splits and opened.split != "train" and not dataset.endswith(f"#{opened.split}"):
        return labelled(f"{dataset}#train"), scored or opened
    return opened, scored


def labelled(text: str) -> Dataset:
    """The data set of an option; a clip without labels is an error."""
    opened = catalog.open(text)
    if not isinstance(opened, Dataset):
        raise DataError(
            f"{text}: has no labels; training needs a data set, NAME:PATH (docs/data.md); with --scheme, "
            "--distill learns from the network in floating point instead"
        )
    return opened


def default_precision(task: str | None, device: torch.device) -> str:
    """bf16 where the hardware multiplies it; fp32 elsewhere, and for pictures, which want its digits."""
    if task == "super-resolution":
        return "fp32"
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capability = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return "bf16" if capability.get("avx512_bf16") or capability.get("amx_bf16") else "fp32"


def run(
    trainer: Trainer,
    what: str,
    scored: str | None,
    heading: str,
    folder: Path,
    validate: Callable[[Any], dict[str, float]] | None,
    every: int,
) -> None:
    """Train to the end, or to Ctrl-C (exit code 130). The first process tells and writes.

    what: what is trained on what, for the user.
    scored: on what it is scored, for the user.
    heading: of the curves.
    """
    first = trainer.among.is_first
    if first:
        check_writable(folder / STATE_FILE, trainer.state_bytes)
        announce(what, scored, trainer)

    def on_epoch(progress: Progress) -> None:
        if first:
            write_history(progress, heading, folder)

    bar = progress_bar("training", trainer.steps - trainer.progress.step) if first else nullcontext()
    with bar as advance:
        ended = trainer.run(validate, every, advance, on_epoch)
    if not ended:
        if first:
            note(f"stopped in step {trainer.progress.step} of {trainer.steps}; --resume goes on")
        raise typer.Exit(130)


def announce(what: str, scored: str | None, trainer: Trainer) -> None:
    """What is about to happen, in two lines."""
    recipe, among = trainer.recipe, trainer.among
    lines = [
        f"{what}, {recipe.epochs} epochs of {trainer.batches.per_epoch} steps, "
        f"{recipe.precision} on {among.device} × {among.world}",
        f"scored on {scored}" if scored else "not scored: no --validation",
    ]
    for line in lines:
        say(line)


def write_history(progress: Progress, heading: str, folder: Path) -> None:
    """The rows so far as JSON and as curves; a line where there is a new score."""
    write_json(progress.history, folder / HISTORY_FILE)
    row = progress.history[-1]
    if "validation" in row:
        write_training_plot(progress.history, heading, folder / CURVES_FILE)
        scores = ", ".join(f"{name} {value:.4f}" for name, value in row["validation"].items())
        say(f"epoch {row['epoch']}: loss {row['loss']:.4f}, {scores}")


def report_files(*files: Path) -> None:
    """Name what was written, a line each."""
    for file in files:
        say(f"{file.name.partition('.')[0]}: {file}")
