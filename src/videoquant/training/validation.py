"""The score of a network in training, by the same decoding and metrics as `compare`."""

from __future__ import annotations

from collections.abc import Callable

import torch

from videoquant.data.dataset import Dataset, LabelledFrame
from videoquant.data.video import Clip
from videoquant.errors import DataError
from videoquant.models.base import Model
from videoquant.models.loading import capture_model
from videoquant.network.graph import Network
from videoquant.tasks import task_for
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.scoring import score_for
from videoquant.training.trainable import TrainableNetwork


def validator(model: Model, dataset: Dataset, size: tuple[int, int]) -> Callable[[Model], dict[str, float]]:
    """A function that scores a model, in eval mode, on every labelled sample.

    model: of the architecture to be scored.
    size: (height, width) of the input that frames become.
    Raises `DataError` where the data set is labelled for another task or with other classes.
    """
    config = model.config
    task = task_for(capture_model(type(model).__name__, model, size))
    if task is None:
        raise DataError(f"the outputs of {type(model).__name__} fit no task, so it cannot be validated")
    score_for(task, dataset)

    @torch.no_grad()
    def validate(model: Model) -> dict[str, float]:
        score = score_for(task, dataset)
        device = next(model.parameters()).device
        for sample in dataset:
            target = sample.target
            if target is not None:
                pixels = sample.pixels
                prepared = config.preprocessing.prepare(pixels, size)
                output = model(torch.from_numpy(prepared).to(device))
                score.update(pixels, {task.primary: output}, target)
        return score.result()

    return validate


def stream_validator(
    network: Network, data: Dataset | Clip
) -> Callable[[TrainableNetwork], dict[str, float]]:
    """A function that scores what a trainable network has learnt, simulated frame by frame.

    network: in the size it is scored at.
    data: labels give the accuracy; of any other clip it is the agreement with the network in floating point,
        whose outputs are computed each time.
    Raises `DataError` where the data is labelled for another task or with other classes, or a clip fits none.
    """
    task = task_for(network)
    if task is None:
        raise DataError(f"the outputs of {network.name} fit no task, so it cannot be validated")
    if isinstance(data, Dataset):
        score_for(task, data)
    clip = data.clip() if isinstance(data, Dataset) else data

    @torch.no_grad()
    def validate(model: TrainableNetwork) -> dict[str, float]:
        stream = model.quantized(network).stream()
        score = score_for(task, data) if isinstance(data, Dataset) else None
        agreement = agreement_for(task)
        for frame in clip:
            outputs = stream.run(frame)
            if score is None:
                agreement.update(network.run(network.prepare(frame)), outputs)
            elif isinstance(frame, LabelledFrame) and (target := frame.sample.target) is not None:
                score.update(frame.pixels, outputs, target)
        return agreement.result() if score is None else score.result()

    return validate
