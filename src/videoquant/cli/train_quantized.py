"""`videoquant train --scheme`: quantization-aware training, from the post-training solution of a scheme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from videoquant.calibration.calibrate import walks
from videoquant.cli.console import progress_bar
from videoquant.cli.networks import input_size
from videoquant.cli.options import channels_match, open_clip
from videoquant.cli.training_run import (
    CURVES_FILE,
    default_precision,
    report_files,
    run,
    training_data,
)
from videoquant.data.dataset import Dataset, LabelledClip
from videoquant.data.video import Clip
from videoquant.errors import DataError, NetworkError
from videoquant.files import output_folder
from videoquant.models import create, names
from videoquant.models.loading import capture_model, load
from videoquant.models.weights import require_weights
from videoquant.network.graph import Network
from videoquant.report.training_plot import write_training_plot
from videoquant.schemes import Scheme
from videoquant.storage import is_quantized_file, save
from videoquant.training.processes import processes
from videoquant.training.recipe import Recipe
from videoquant.training.trainable import TrainableNetwork
from videoquant.training.tuning import scheme_trainer
from videoquant.training.validation import stream_validator

QUANTIZED_FILE = "quantized.vq"


def train_quantized(
    name: str,
    scheme: Scheme,
    dataset: str,
    validation: str | None,
    distill: bool,
    checkpoint: Path | None,
    output: Path,
    resume: bool,
    settings: dict[str, Any],
    every: int,
) -> None:
    """See the options of `videoquant train`; settings: of the recipe, None where the user gave none."""
    if checkpoint is not None and is_quantized_file(checkpoint):
        raise NetworkError(
            f"--from {checkpoint}: is quantized already; training starts from weights in floating point, and "
            "--resume goes on with one"
        )
    data, scored = clips(dataset, validation) if distill else training_data(dataset, validation)
    with processes() as among:
        torch.manual_seed(settings["seed"])
        source = as_clip(scored or data)
        network, at = capture_for(name, checkpoint, source)
        task = None if distill else network.preprocessing.task
        if distill or name not in names():  # whole frames, and a file has one size
            settings["crop"] = settings["crop"] or network.size
        # Simulated codes gain nothing from a CPU's bfloat16.
        usual = default_precision(task, among.device) if among.device.type == "cuda" else "fp32"
        settings["precision"] = settings["precision"] or usual
        recipe = Recipe.for_scheme(task, network.size, **settings)
        graph = at(recipe.crop)
        validate = stream_validator(network, scored) if scored is not None and among.is_first else None
        with progress_bar("calibrating", len(graph.nodes) * walks(scheme)) as advance:
            trainer = scheme_trainer(
                graph,
                scheme,
                data,
                recipe,
                output,
                distill=distill,
                resume=resume,
                among=among,
                progress=advance,
            )
        objective = trainer.objective
        folder = output_folder(output)
        heading = f"{network.name} at {scheme} on {objective.name}"
        told = None if scored is None else f"{source.name}, {len(source)} frames"
        run(
            trainer,
            f"{heading}: {len(objective)} clips of {scheme.period}",
            told,
            heading,
            folder,
            validate,
            every,
        )
        if among.is_first:
            learned = trainer.average
            assert isinstance(learned, TrainableNetwork)
            save(learned.quantized(network), folder / QUANTIZED_FILE)
            write_training_plot(trainer.progress.history, heading, folder / CURVES_FILE)
            report_files(folder / QUANTIZED_FILE, folder / CURVES_FILE)


def clips(dataset: str, validation: str | None) -> tuple[Clip, Clip | None]:
    """The clips to learn from a teacher on, and to score on."""
    return open_clip(dataset), None if validation is None else open_clip(validation)


def as_clip(data: Dataset | Clip) -> Clip:
    return data.clip() if isinstance(data, Dataset) else data


def capture_for(
    name: str, checkpoint: Path | None, source: Clip
) -> tuple[Network, Callable[[tuple[int, int]], Network]]:
    """The network of the command in the size of a source's frames, and what captures it in another one."""
    if name not in names():
        network = load(name, checkpoint=checkpoint)
        channels_match(network)

        def at(size: tuple[int, int]) -> Network:
            if size != network.size:
                raise DataError(f"--crop: {name} takes inputs of {network.size[0]}×{network.size[1]} only")
            return network

        return network, at
    dataset = source.dataset.name if isinstance(source, LabelledClip) else None
    module = create(name, checkpoint or require_weights(name, dataset))
    network = capture_model(name, module, input_size(module.config, source))
    return network, lambda size: network if size == network.size else capture_model(name, module, size)
