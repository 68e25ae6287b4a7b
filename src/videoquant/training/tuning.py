"""Quantization-aware training, put together: what a network is trained on, and where the training starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from videoquant.calibration.calibrate import calibrate
from videoquant.calibration.sampling import calibration_runs, starts
from videoquant.data.dataset import Dataset
from videoquant.data.video import Clip
from videoquant.errors import DataError, SchemeError
from videoquant.network.graph import Network
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import primary_output, task_for
from videoquant.tasks.segmentation import Segmentation
from videoquant.training.clips import FilmedStills, VideoWindows
from videoquant.training.objectives import Objective, labelled_objective
from videoquant.training.processes import ALONE, Processes
from videoquant.training.recipe import Recipe
from videoquant.training.trainable import TrainableNetwork
from videoquant.training.trainer import Trainer


def scheme_trainer(
    network: Network,
    scheme: Scheme,
    data: Dataset | Clip,
    recipe: Recipe,
    folder: str | Path,
    *,
    distill: bool = False,
    resume: bool = False,
    among: Processes = ALONE,
    progress: Callable[[], None] | None = None,
) -> Trainer:
    """A training of a network at the low bits of a scheme, from its post-training solution.

    network: in the size of the training inputs, `recipe.crop`.
    data, distill: see `clip_objective`.
    folder, resume: see `Trainer`.
    progress: see `starting_point`.

    `run()` trains; then `average.quantized(network)` is the result, for `network` in any size.

        recipe = Recipe.for_scheme("segmentation", network.size)
        trainer = scheme_trainer(network, scheme, stills, recipe, folder)
        trainer.run()
        vq.save(trainer.average.quantized(), "tuned.vq")
    """
    objective = clip_objective(network, scheme, data, recipe, distill)
    model = TrainableNetwork(starting_point(network, scheme, objective, progress))
    setup = {"network": network.name, "scheme": str(scheme), "data": f"{objective.name}, {len(objective)}"}
    return Trainer(model, objective, Path(folder), among, resume, setup)


def clip_objective(
    network: Network, scheme: Scheme, data: Dataset | Clip, recipe: Recipe, distill: bool = False
) -> Objective:
    """Clips of one period of a scheme, and the loss on them.

    network: in the size of the training inputs, `recipe.crop`.
    data: labelled stills are filmed by a moving camera; labelled videos are used as they are, where not every
        frame needs a label, and for distillation, which needs none, any clip.

    Without a time axis the labelled frames of either are cropped as in training in floating point.
    Raises `SchemeError` for a scheme that quantizes nothing or equalizes channels, `DataError` for data
    that does not fit.
    """
    if scheme.is_float:
        raise SchemeError(f"{scheme}: nothing in it is quantized, so there is nothing to train")
    if scheme.equalize or scheme.by_outputs:
        word = "equalize" if scheme.equalize else "by-outputs"
        raise SchemeError(f"{scheme}: {word} changes the network, so that nothing is trained with it")
    if distill:
        clip = data if isinstance(data, Clip) else data.clip()
        return VideoWindows(network, clip, scheme.period, recipe)
    if not isinstance(data, Dataset):
        raise DataError(
            f"{data.name}: has no labels; give a data set, NAME:PATH (docs/data.md), or distill the network "
            "in floating point"
        )
    task = task_for(network)
    classes = task.channels if isinstance(task, Segmentation) else None
    labelled = labelled_objective(network.preprocessing, classes, data.labelled(), recipe)
    output = primary_output(network)
    if data.is_video and scheme.period > 1:
        return VideoWindows(network, data.clip(), scheme.period, recipe, labelled, output)
    return FilmedStills(labelled, output, scheme.period)


def starting_point(
    network: Network, scheme: Scheme, objective: Objective, progress: Callable[[], None] | None = None
) -> QuantizedNetwork:
    """The post-training solution that training starts from, calibrated on examples of the training itself.
    progress: called once per node of the network and walk (`calibration.calibrate.walks`).
    """
    count = min(len(objective), calibration_runs(scheme))
    chosen = starts(len(objective), count)
    random = np.random.default_rng([objective.recipe.seed, 0])
    clips = [objective.collate([objective.example(objective.pair(i), random)])[0][0] for i in chosen]
    return calibrate(network, scheme, [[frame[None] for frame in clip] for clip in clips], progress)
