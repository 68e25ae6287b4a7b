"""`videoquant train`: a network in floating point, or with --scheme at low bits, from labels or a teacher."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from videoquant.cli.networks import input_size
from videoquant.cli.sizes import parse_size
from videoquant.cli.targets import Folder, check_targets
from videoquant.cli.train_quantized import QUANTIZED_FILE, train_quantized
from videoquant.cli.training_run import (
    CURVES_FILE,
    HISTORY_FILE,
    default_precision,
    report_files,
    run,
    training_data,
)
from videoquant.data.dataset import Dataset
from videoquant.errors import DataError
from videoquant.files import output_folder
from videoquant.made import made_by
from videoquant.models import create
from videoquant.models.registry import ENTRIES
from videoquant.report.plot_file import numbers_file
from videoquant.report.training_plot import write_training_plot
from videoquant.schemes import Scheme
from videoquant.training.objectives import objective_for
from videoquant.training.processes import processes
from videoquant.training.recipe import Recipe
from videoquant.training.state import save_weights
from videoquant.training.trainer import STATE_FILE, Trainer
from videoquant.training.validation import validator

WEIGHTS_FILE = "weights.safetensors"
FILES = (WEIGHTS_FILE, QUANTIZED_FILE, STATE_FILE, HISTORY_FILE, CURVES_FILE, str(numbers_file(CURVES_FILE)))


def command(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="The name of a network, e.g. ddrnet23_slim; with --scheme also an ONNX file.",
        ),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            metavar="NAME:PATH[#SPLIT]",
            help="Labelled data; where it has a split train and none is named, that is trained on. "
            "With --distill any clip.",
        ),
    ],
    scheme: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help='Train at the low bits of a scheme, e.g. "w8a8->w4a4 T=3", from its post-training solution.',
        ),
    ] = None,
    distill: Annotated[
        bool,
        typer.Option(
            "--distill", help="With --scheme: learn from the network in floating point, not from labels."
        ),
    ] = False,
    validation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME:PATH[#SPLIT]",
            help="Labelled data to score on; default: the commonly scored split beside train. "
            "With --distill any clip, scored by agreement with floating point.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            "--from",
            metavar="F",
            help="Weights to start from; default: random ones, with --scheme those that ship.",
        ),
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
    """Train a network, in floating point or at low bits; several processes where `torchrun` starts it.

    Ctrl-C keeps what is done; --resume goes on from there to the same result.
    """
    check_targets(
        {"NETWORK": network, "--dataset": dataset, "--validation": validation, "--checkpoint": checkpoint},
        {"--output": Folder(output, FILES)},
    )
    settings: dict[str, Any] = {
        "epochs": epochs,
        "batch": batch,
        "crop": parse_size(crop, "--crop") if crop else None,
        "repeats": repeats,
        "scales": parse_bounds(scales) if scales else None,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "precision": precision,
        "seed": seed,
    }
    if scheme is not None:
        train_quantized(
            network,
            Scheme.parse(scheme),
            dataset,
            validation,
            distill,
            checkpoint,
            output,
            resume,
            settings,
            every,
        )
        return
    if distill:
        raise DataError("--distill: only a network at low bits has a teacher; give --scheme too")
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
            **settings | {"precision": precision or default_precision(task, among.device)},
        )
        objective = objective_for(model, train, recipe)
        validate = None
        if scored and among.is_first:
            validate = validator(model, scored, input_size(model.config, scored.clip()))
        setup = {"network": network, "data": f"{train.name}#{train.split}, {len(train)} pictures"}
        trainer = Trainer(model, objective, output, among, resume, setup)
        heading = f"{network} on {train.name}#{train.split}"
        scores = f"{scored.name}#{scored.split}, {len(scored)} pictures" if scored else None
        folder = output_folder(output)
        run(trainer, f"{heading}: {len(train)} pictures", scores, heading, folder, validate, every)
        if among.is_first:
            finish(trainer, folder, network, train)


def finish(trainer: Trainer, folder: Path, network: str, train: Dataset) -> None:
    """Write the averaged weights, with the command that made them."""
    about = {
        "network": network,
        "data": f"{train.name}#{train.split}",
        **made_by(),
        "recipe": json.dumps(trainer.recipe.to_dict()),
    }
    save_weights(folder / WEIGHTS_FILE, trainer.average, about)
    write_training_plot(trainer.progress.history, f"{network} on {about['data']}", folder / CURVES_FILE)
    report_files(folder / WEIGHTS_FILE, folder / CURVES_FILE)


def parse_bounds(text: str) -> tuple[float, float]:
    """ "0.5,2" → (0.5, 2.0)."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise DataError(f"--scales {text}: give two numbers, e.g. 0.5,2") from None
    return low, high
