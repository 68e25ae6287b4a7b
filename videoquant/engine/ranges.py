"""Ranges that are known only at run time: what a stream does where a program pauses.

measure   the estimator measures the value (or residual) that the next operator quantizes, and sets its grid
predict   the features of a value are taken, and every grid that is predicted from them is set
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.engine.session import Session
from videoquant.engine.tables import unsigned
from videoquant.quantizers.features import features
from videoquant.quantizers.grid import Grid
from videoquant.quantizers.predictor import Predictor
from videoquant.quantizers.ranges import Estimator
from videoquant.simulate.activations import make_grid


class Ranges:
    """The ranges of one stream's frames. It remembers the values that predictors read of the reference frame.

    estimator: how the scheme measures a range.
    """

    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator
        self._remembered: dict[str, Tensor] = {}

    def pause(self, pause: dict[str, Any], session: Session, input: Tensor, is_key: bool) -> None:
        """Set the grids that a program pauses for. input: the network's, of this frame."""
        (kind, wanted), *_ = ((key, item) for key, item in pause.items() if key != "before_op")
        x = value(session, wanted["slot"], wanted["shape"], input)
        if kind == "measure":
            self._measure(wanted, session, x)
        else:
            self._predict(wanted, session, x, is_key)

    def _measure(self, wanted: dict[str, Any], session: Session, x: Tensor) -> None:
        limits = self.estimator.measure(x, wanted["bits"], wanted["symmetric"])
        _set(session, wanted["grid"], make_grid(self.estimator, limits, wanted["bits"], wanted["symmetric"]))

    def _predict(self, wanted: dict[str, Any], session: Session, x: Tensor, is_key: bool) -> None:
        name = wanted["value"]
        seen = {name: features(x if is_key else (x - self._remembered[name]).abs(), wanted["features"])}
        for entry in wanted["grids"]:
            limits = predictor(entry["predictor"])(seen)
            _set(session, entry["grid"], make_grid(self.estimator, limits, entry["bits"], entry["symmetric"]))
        if wanted["remember"]:
            self._remembered[name] = x.clone()


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


def predictor(stored: dict[str, Any]) -> Predictor:
    """A predictor from its JSON form, which has lists where it has tuples."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
    values["slopes"] = tuple(map(tuple, stored["slopes"]))
    return Predictor(**values)


def _set(session: Session, index: int, grid: Grid) -> None:
    entry = unsigned(grid)
    session.set_grid(index, entry["scale"], entry["zero"], entry["low"], entry["high"])
