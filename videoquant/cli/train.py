"""`videoquant train`: one of the papers' networks in floating point, on a labelled data set."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from videoquant.cli.networks import input_size
from videoquant.cli.options import console, progress_bar, status
from videoquant.cli.sizes import parse_size
from videoquant.data import catalog
from videoquant.data.dataset import Dataset
from videoquant.errors import DataError
from videoquant.files import atomic_write, check_folder, output_folder
from videoquant.models import Model, create
from videoquant.models.registry import ENTRIES
from videoquant.report.training_plot import write_training_plot
from videoquant.training.objectives import objective_for
from videoquant.training.processes import Processes, processes
from videoquant.training.recipe import Recipe
from videoquant.training.state import Progress, save_weights
from videoquant.training.trainer import Trainer
from videoquant.training.validation import validator

WEIGHTS_FILE, HISTORY_FILE, CURVES_FILE = "weights.safetensors", "history.json", "curves.png"


def command(
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="The name of a network, e.g. ddrnet23_slim.")
    ],
    dataset: Annotated[
        str,
        typer.Option(
            metavar="NAME:PATH[#SPLIT]",
            help="Labelled data; where it has a split train and none is named, that is trained on.",
        ),
    ],
    validation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME:PATH[#SPLIT]",
            help="Labelled data to score on; default: the commonly scored split beside train.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="F", help="Weights to start from; default: random ones.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for weights, state and curves.")
    ] = Path("videoquant-training"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training that the output folder holds.")
    ] = False,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Passes over the data.")] = None,
    batch: Annotated[int | None, typer.Option(metavar="N", help="Crops per step.")] = None,
    crop: Annotated[
        str | None, typer.Option(metavar="HxW", help="Size of a training crop; default: that of the frames.")
    ] = None,
    repeats: Annotated[int | None, typer.Option(metavar="N", help="Crops of a picture per epoch.")] = None,
    scales: Annotated[
        str | None, typer.Option(metavar="A,B", help="Bounds of the random scale, e.g. 0.5,2.")
    ] = None,
    optimizer: Annotated[str | None, typer.Option(help="adamw or sgd.")] = None,
    learning_rate: Annotated[float | None, typer.Option(metavar="X", help="At its peak.")] = None,
    weight_decay: Annotated[float | None, typer.Option(metavar="X", help="Of weights.")] = None,
    schedule: Annotated[str | None, typer.Option(help="cosine or poly.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp32 or bf16; default: bf16 for segmentation where there is hardware.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of weights, order and augmentation.")] = 0,
    every: Annotated[
        int, typer.Option("--validate-every", metavar="N", min=1, help="Epochs between two scores.")
    ] = 10,
) -> None:
    """Train a network in floating point; several processes where `torchrun` starts it.

    Ctrl-C keeps what is done; --resume goes on from there to the same result.
    """
    check_folder(output)
    train, scored = training_data(dataset, validation)
    with processes() as among:
        torch.manual_seed(seed)
        fits = network in ENTRIES and ENTRIES[network].task == train.task
        model = create(network, checkpoint, num_classes=len(train.labels) or None if fits else None)
        task = str(model.config.preprocessing.task)
        first = train[0].pixels.shape
        recipe = Recipe.for_task(
            task,
            (first[0], first[1]),
            epochs=epochs,
            batch=batch,
            crop=parse_size(crop, "--crop") if crop else None,
            repeats=repeats,
            scales=parse_bounds(scales) if scales else None,
            optimizer=optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            schedule=schedule,
            precision=precision or default_precision(task, among.device),
            seed=seed,
        )
        objective = objective_for(model, train, recipe)
        validate = None
        if scored and among.is_first:
            validate = validator(model, scored, input_size(model.config, scored.clip()))
        setup = {"network": network, "data": f"{train.name}#{train.split}, {len(train)} pictures"}
        trainer = Trainer(objective, output, among, resume, setup)
        heading = f"{network} on {train.name}#{train.split}"
        folder = output_folder(output)
        if among.is_first:
            announce(heading, train, scored, recipe, trainer)

        def on_epoch(progress: Progress) -> None:
            if among.is_first:
                write_history(progress, heading, folder)

        with bar(trainer, among) as advance:
            ended = trainer.run(validate, every, advance, on_epoch)
        if not ended:
            if among.is_first:
                status.print(f"stopped in step {trainer.progress.step} of {trainer.steps}; --resume goes on")
            raise typer.Exit(130)
        if among.is_first:
            finish(trainer, folder, network, train)


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
        raise DataError(f"{text}: has no labels; training needs a data set, NAME:PATH (docs/data.md)")
    return opened


def parse_bounds(text: str) -> tuple[float, float]:
    """ "0.5,2" → (0.5, 2.0)."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise DataError(f"--scales {text}: give two numbers, e.g. 0.5,2") from None
    return low, high


def default_precision(task: str, device: torch.device) -> str:
    """bf16 where the hardware multiplies it; fp32 elsewhere, and for pictures, which want its digits."""
    if task == "super-resolution":
        return "fp32"
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capability = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return "bf16" if capability.get("avx512_bf16") or capability.get("amx_bf16") else "fp32"


def announce(heading: str, train: Dataset, scored: Dataset | None, recipe: Recipe, trainer: Trainer) -> None:
    """What is about to happen, in a few lines."""
    lines = [
        f"{heading}: {len(train)} pictures, {recipe.epochs} epochs of {trainer.batches.per_epoch} steps, "
        f"{recipe.precision} on {trainer.among.device} × {trainer.among.world}",
        f"scored on {scored.name}#{scored.split}, {len(scored)} pictures"
        if scored
        else "not scored: no --validation",
    ]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def bar(trainer: Trainer, among: Processes) -> Any:
    """A progress bar over the steps that are left, in the first process."""
    if not among.is_first:
        return nullcontext()
    return progress_bar("training", trainer.steps - trainer.progress.step)


def write_history(progress: Progress, heading: str, folder: Path) -> None:
    """The rows so far as JSON and as curves; a line where there is a new score."""
    with atomic_write(folder / HISTORY_FILE) as temporary:
        temporary.write_text(json.dumps(progress.history, indent=1) + "\n", encoding="utf-8")
    row = progress.history[-1]
    if "validation" in row:
        write_training_plot(progress.history, heading, folder / CURVES_FILE)
        scores = ", ".join(f"{name} {value:.4f}" for name, value in row["validation"].items())
        console.print(f"epoch {row['epoch']}: loss {row['loss']:.4f}, {scores}", highlight=False)


def finish(trainer: Trainer, folder: Path, network: str, train: Dataset) -> None:
    """Write the averaged weights, with the command that made them."""
    model: Model = trainer.average
    about = {
        "network": network,
        "data": f"{train.name}#{train.split}",
        "command": shlex.join(["videoquant", *sys.argv[1:]]),
        "recipe": json.dumps(trainer.recipe.to_dict()),
    }
    save_weights(folder / WEIGHTS_FILE, model, about)
    write_training_plot(trainer.progress.history, f"{network} on {about['data']}", folder / CURVES_FILE)
    for file in (WEIGHTS_FILE, CURVES_FILE):
        console.print(f"{file.partition('.')[0]}: {folder / file}", highlight=False, soft_wrap=True)
