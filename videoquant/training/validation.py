"""The score of a model on labelled frames, by the same decoding and metrics as `compare`."""

from __future__ import annotations

from collections.abc import Callable

import torch

from videoquant.api import capture_model
from videoquant.data.dataset import Dataset
from videoquant.errors import DataError
from videoquant.models.base import Model
from videoquant.tasks import task_for
from videoquant.tasks.scoring import score_for


def validator(model: Model, dataset: Dataset, size: tuple[int, int]) -> Callable[[Model], dict[str, float]]:
    """A function that scores a model, in eval mode, on every labelled sample.

    model: of the architecture to be scored. size: (height, width) of the input that frames become.
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
                output = model(config.preprocessing.prepare(pixels, size).to(device))
                score.update(pixels, {task.primary: output}, target)
        return score.result()

    return validate
