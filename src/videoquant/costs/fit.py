"""A chip's parameters from measured times, by least squares on the logarithms of times, within bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np

from videoquant.costs.chip import Chip
from videoquant.costs.simulator import scheme_cost
from videoquant.costs.workload import Array, Workload
from videoquant.errors import ChipError
from videoquant.schemes import Scheme

STARTS = 10  # of the search, drawn within the bounds; the best end is taken
# Least and largest value. peak: w8a8 multiply–accumulates per second. gain: the peak at w and a bits is
# peak · (64 / (w · a))^gain, so that 0 is a chip to which bit-widths make no difference and 1 one whose peak
# grows as BOPs shrink. bandwidth: bytes per second. buffer: bytes. overhead: seconds per layer.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "peak": (1e9, 1e15),
    "gain": (0.05, 1.0),
    "bandwidth": (1e9, 2e12),
    "buffer": (1e4, 6.4e7),
    "overhead": (1e-9, 1e-3),
}


@dataclass(frozen=True)
class Measurement:
    """A network by name and workload, a scheme, and how many milliseconds a frame took."""

    network: str
    work: Workload
    scheme: Scheme
    ms: float


def with_parameters(chip: Chip, values: Mapping[str, float]) -> Chip:
    """The chip with some of the parameters of `BOUNDS` replaced, all its peaks by one formula."""
    found = dict(values)
    peak, gain = found.pop("peak", None), found.pop("gain", None)
    if peak is not None and gain is not None:
        found["peak"] = {(w, a): peak * (64 / (w * a)) ** gain for w, a in chip.peak}  # type: ignore[assignment]
    return replace(chip, **found)  # type: ignore[arg-type]


def fit_chip(chip: Chip, rows: Sequence[Measurement], parameters: Sequence[str]) -> Chip:
    """The chip whose simulated times come closest to the measured ones.

    chip: gives the precisions, and all that is not fitted.
    parameters: names in `BOUNDS`; "peak" and "gain" together.

    The loss is the sum of squared log(simulated / measured), so that a network counts as much as one that
    takes ten times as long. The same rows give the same chip.
    Raises `ChipError` where there are fewer rows than parameters, a time is not above 0, or the chip cannot
    run a scheme.
    """
    if len(rows) < len(parameters):
        raise ChipError(f"{len(rows)} measured times cannot fix {len(parameters)} parameters; measure more")
    if any(not 0 < row.ms < np.inf for row in rows):
        raise ChipError("a measured time is not above 0 ms")
    low, high = np.log(np.array([BOUNDS[name] for name in parameters])).T

    def fitted(x: Array) -> Chip:
        return with_parameters(chip, dict(zip(parameters, np.exp(x).tolist(), strict=True)))

    def loss(x: Array) -> list[float]:
        return [log(1 + error) for error in errors(fitted(x), rows)]

    from scipy.optimize import least_squares  # which takes as long to import as half of the command

    starts = np.random.default_rng(0).uniform(low, high, (STARTS, len(parameters)))
    ends = [least_squares(loss, start, bounds=(low, high)) for start in starts]
    return fitted(min(ends, key=lambda end: end.cost).x)


def errors(chip: Chip, rows: Sequence[Measurement]) -> list[float]:
    """Simulated time over measured time, less 1, of every row. Raises `ChipError` where a row cannot run."""
    result = []
    for row in rows:
        ms = scheme_cost(chip, row.work, row.scheme).ms
        if ms is None:
            raise ChipError(f"{chip.name} has no precision for {row.scheme}")
        result.append(ms / row.ms - 1)
    return result


def leave_one_out(chip: Chip, rows: Sequence[Measurement], parameters: Sequence[str]) -> list[float]:
    """The error of every row on a chip fitted to all others."""
    return [
        errors(fit_chip(chip, [*rows[:i], *rows[i + 1 :]], parameters), [row])[0]
        for i, row in enumerate(rows)
    ]
