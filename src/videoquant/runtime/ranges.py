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

from videoquant.engine.tables import unsigned
from videoquant.runtime.predictions import Predictions
from videoquant.runtime.session import Session
from videoquant.runtime.sizes import channels_last
from videoquant.saved_network import predictor_from_json
from videoquant.schemes import Scheme
from videoquant.simulate.activations import DynamicGrid, PredictedGrid


@dataclass(frozen=True)
class Measure:
    """A pause for a dynamic range. before_op: the operator that it comes before.

    slot, shape: what is measured, and its shape in the network. index: of the grid. source: how it is made.
    """

    before_op: int
    slot: int
    shape: tuple[int, ...]
    index: int
    source: DynamicGrid


@dataclass(frozen=True)
class Predict:
    """A pause for predicted ranges. before_op, slot: as `Measure`.

    value: its name. predictions: the features and the grids; None where only later frames have some.
    remember: whether the residuals of later frames are taken from this frame's value.
    """

    before_op: int
    slot: int
    value: str
    predictions: Predictions | None
    remember: bool


Pause = Measure | Predict


def read_pause(stored: dict[str, Any], scheme: Scheme) -> Pause:
    """A pause from its plain form in a plan (`pauses.py`)."""
    before_op = stored["before_op"]
    if "measure" in stored:
        wanted = stored["measure"]
        source = DynamicGrid(scheme.range_estimator, wanted["bits"], wanted["symmetric"])
        return Measure(before_op, wanted["slot"], tuple(wanted["shape"]), wanted["grid"], source)
    wanted = stored["predict"]
    entries = wanted["grids"]
    predictions = None
    if entries:
        sources = [
            PredictedGrid(
                predictor_from_json(entry["predictor"], f"the range of grid {entry['grid']}"),
                scheme.range_estimator,
                entry["bits"],
                entry["symmetric"],
            )
            for entry in entries
        ]
        indices = [entry["grid"] for entry in entries]
        predictions = Predictions(wanted["shape"], wanted["features"], indices, sources)
    return Predict(before_op, wanted["slot"], wanted["value"], predictions, wanted["remember"])


class Ranges:
    """The ranges of one stream's frames; it remembers what predictors read of the reference frame."""

    def __init__(self) -> None:
        self._remembered: dict[str, NDArray[np.float32]] = {}

    def set(self, pause: Pause, session: Session, input: Tensor, is_key: bool) -> None:
        """Set the grids that a program pauses for. input: the network's, of this frame."""
        if isinstance(pause, Measure):
            # The input stands for slot 0.
            x = input if pause.slot == 0 else as_value(session.slot(pause.slot), pause.shape)
            grid = unsigned(pause.source.grid(x, {}))
            session.set_grid(pause.index, grid["scale"], grid["zero"], grid["low"], grid["high"])
            return
        pixels = channels_last(input) if pause.slot == 0 else session.slot(pause.slot)
        if pause.predictions is not None:
            session.predict(pause.predictions, pixels, None if is_key else self._remembered[pause.value])
        if pause.remember:
            self._remembered[pause.value] = pixels.copy()


def as_value(array: NDArray[np.float32], shape: Sequence[int]) -> Tensor:
    """An array h×w×c as the network has the value, 1×C×H×W or 1×C, mostly on the same memory."""
    return torch.from_numpy(array.transpose(2, 0, 1).reshape(tuple(shape)))
