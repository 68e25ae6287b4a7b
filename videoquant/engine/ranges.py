"""Ranges that are known only at run time: what a stream does where a program pauses.

measure   the estimator measures the value (or residual) that the next operator quantizes, and sets its grid
predict   the features of a value are taken, and every grid that is predicted from them is set
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.engine.session import Session
from videoquant.engine.tables import unsigned
from videoquant.quantizers.features import features
from videoquant.schemes import Scheme
from videoquant.simulate.activations import DynamicGrid, PredictedGrid
from videoquant.storage import predictor_from_json


@dataclass(frozen=True)
class Pause:
    """A stop of a program, before the operator of index `before_op`.

    slot, shape: the value that is looked at, and its shape in the network. grids: which are set, and whence.
    predict: the value's name, its features, and whether it is remembered; None where it is measured.
    """

    before_op: int
    slot: int
    shape: tuple[int, ...]
    grids: tuple[tuple[int, DynamicGrid | PredictedGrid], ...]
    predict: tuple[str, tuple[str, ...], bool] | None


def read_pause(stored: dict[str, Any], scheme: Scheme) -> Pause:
    """A pause from a plan's plain form (`pauses.py`)."""
    estimator = scheme.range_estimator
    if "measure" in stored:
        wanted = stored["measure"]
        source = DynamicGrid(estimator, wanted["bits"], wanted["symmetric"])
        return Pause(
            stored["before_op"], wanted["slot"], tuple(wanted["shape"]), ((wanted["grid"], source),), None
        )
    wanted = stored["predict"]
    grids = tuple(
        (
            entry["grid"],
            PredictedGrid(
                predictor_from_json(entry["predictor"]), estimator, entry["bits"], entry["symmetric"]
            ),
        )
        for entry in wanted["grids"]
    )
    predict = (wanted["value"], tuple(wanted["features"]), wanted["remember"])
    return Pause(stored["before_op"], wanted["slot"], tuple(wanted["shape"]), grids, predict)


class Ranges:
    """The ranges of one stream's frames; it remembers what predictors read of the reference frame."""

    def __init__(self) -> None:
        self._remembered: dict[str, Tensor] = {}

    def set(self, pause: Pause, session: Session, input: Tensor, is_key: bool) -> None:
        """Set the grids that a program pauses for. input: the network's, of this frame."""
        x = value(session, pause.slot, pause.shape, input)
        seen: dict[str, NDArray[np.float64]] = {}
        if pause.predict is not None:
            name, names, remember = pause.predict
            seen[name] = features(x if is_key else (x - self._remembered[name]).abs(), names)
            if remember:
                self._remembered[name] = x.clone()
        for index, source in pause.grids:
            grid = unsigned(source.grid(x, seen))
            session.set_grid(index, grid["scale"], grid["zero"], grid["low"], grid["high"])


def value(session: Session, slot: int, shape: Sequence[int], input: Tensor) -> Tensor:
    """A slot as the network has the value, 1×C×H×W or 1×C, mostly on the slot's own memory.

    input: the network's, which stands for slot 0.
    """
    if slot == 0:
        return input
    return as_value(session.slot(slot), shape)


def as_value(array: NDArray[np.float32], shape: Sequence[int]) -> Tensor:
    """An array h×w×c as the network has the value, 1×C×H×W or 1×C, mostly on the same memory."""
    return torch.from_numpy(array).permute(2, 0, 1).reshape(tuple(shape))
