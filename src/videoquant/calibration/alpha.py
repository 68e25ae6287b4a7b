"""The α of the quantile ranges, by greedy search on calibration frames (method: Range estimators).

How much of an activation's tail is best clipped depends on the network, the data and the bit-widths: less
clipping costs resolution, more of it costs the largest values.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from videoquant.axes import FLOAT, DenseSparse, Residual
from videoquant.calibration.calibrate import calibrate
from videoquant.errors import CalibrationWarning, DataError, SchemeError
from videoquant.network.float_stream import FloatStream
from videoquant.network.graph import Network
from videoquant.ranges.estimators import Quantile
from videoquant.schemes import Scheme
from videoquant.tasks import Measure, primary_output, task_for
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.sqnr import Sqnr

# About evenly spaced in log(1 − α), and 1, which clips nothing.
LADDER = (
    0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 0.99995, 0.99998, 0.99999, 1.0,
)  # fmt: skip
START = 0.999  # the optima that QPP found are 0.9991 to 0.9998


@dataclass(frozen=True)
class AlphaPoint:
    """One α measured.

    alpha: the quantile that ranges are clipped at, 0.5 … 1.
    sqnr_db: of the primary output over all frames, against fp32.
    agreement: the task's measures against fp32, by name, without those that had nothing to measure; empty
        where the task is not known.
    """

    alpha: float
    sqnr_db: float
    agreement: dict[str, float]


@dataclass(frozen=True)
class AlphaCurve:
    """What `search_alpha` found.

    scheme: the one given, with the best α.
    best: that α.
    points: every α measured, ascending.
    frames: how many each was measured on.
    """

    scheme: Scheme
    best: float
    points: tuple[AlphaPoint, ...]
    frames: int


def search_alpha(
    network: Network,
    scheme: Scheme,
    clips: Sequence[Sequence[Tensor]],
    progress: Callable[[], None] | None = None,
    exhaustive: bool = False,
) -> AlphaCurve:
    """Find the α at which a scheme with quantile ranges comes closest to the floating-point network.

    scheme: its estimator is replaced, everything else is kept; but weights, which `MSE` would search, take
        their extremes, as with every quantile range. clips: as for `calibrate`; see
        `sampling.calibration_clips`. Each α is calibrated on them and measured on them, frame by frame in a
        stream, a clip at a time. progress: called after each α.
    exhaustive: measure all of `LADDER`. Otherwise the search starts at `START` and walks to the better
        neighbour until neither is better, by SQNR and then by the task's first measure. Either way it ends
        with a point on each side of the best, half-way to its neighbour in log(1 − α); none beside α = 1,
        which such a scale does not reach.

    The criterion is the SQNR, among the α whose first measure is near the best one (`Measure.close`): on few
    frames a task's measures move in steps, and many α tie, but an α at which the measure falls is none to
    take, however close the numbers are. Where the frames show nothing to measure, it is the SQNR alone; and
    where every α gives the same, such as on black frames, the default of `Quantile`, with a
    `CalibrationWarning`.
    Raises `SchemeError` for Dense + Sparse and where no activation is quantized, `DataError` without frames
    and wherever `calibrate` does.
    """
    check_has_alpha(scheme)
    frames = sum(map(len, clips))
    if not frames:
        raise DataError(f"{scheme}: searching α needs at least 1 frame; got none")
    measure = _Measured(network, scheme, clips, progress)

    first = measure.task.measures[0] if measure.task else None
    if exhaustive:
        for alpha in LADDER:
            measure(alpha)
    else:
        climb(lambda step: measure(LADDER[step]).sqnr_db, LADDER.index(START), len(LADDER))
        if first is not None:
            climb(lambda step: _gain(measure(LADDER[step]), first), LADDER.index(START), len(LADDER))
    best = LADDER.index(best_alpha(measure.points.values(), first))
    for near in LADDER[max(0, best - 1) : best + 2]:
        if near != LADDER[best] and max(near, LADDER[best]) < 1:
            measure(half_way(near, LADDER[best]))
    if len({(point.sqnr_db, *point.agreement.items()) for point in measure.points.values()}) == 1:
        alpha = Quantile().alpha
        measure(alpha)
        message = (
            f"{scheme}: every α gives the same on these frames, so they cannot tell which is best; the "
            f"default, {alpha:g}, is kept. Calibrate on frames like those that will come"
        )
        warnings.warn(message, CalibrationWarning, stacklevel=2)
    else:
        alpha = best_alpha(measure.points.values(), first)
    points = tuple(sorted(measure.points.values(), key=lambda point: point.alpha))
    return AlphaCurve(_with_alpha(scheme, alpha), alpha, points, frames)


def best_alpha(points: Iterable[AlphaPoint], measure: Measure | None) -> float:
    """The α of the highest SQNR among the points whose measure is near the best one's.

    measure: the task's first; None where the task is not known. Points without it count as the worst.
    """
    points = list(points)
    if measure is not None:
        gains = [_gain(point, measure) for point in points]
        enough = max(gains) - measure.close
        points = [point for point, gain in zip(points, gains, strict=True) if gain >= enough]
    return max(points, key=lambda point: point.sqnr_db).alpha


def _gain(point: AlphaPoint, measure: Measure) -> float:
    """A point's measure, negated where lower is better; −∞ where there was nothing to measure."""
    value = point.agreement.get(measure.name)
    return -math.inf if value is None else measure.gain(value, 0)


def check_has_alpha(scheme: Scheme) -> None:
    """Raise `SchemeError` for a scheme that has no α to search."""
    if isinstance(scheme.representation, DenseSparse):
        raise SchemeError(f"{scheme}: has no α to search; the density of ds= sets the range in its place")
    residual = scheme.time.bits if isinstance(scheme.time, Residual) else scheme.bits
    if scheme.bits.activations == residual.activations == FLOAT:
        raise SchemeError(f"{scheme}: has no α to search; its activations are left in floating point")


def half_way(a: float, b: float) -> float:
    """The α between two below 1 whose 1 − α is their geometric mean, rounded to two digits of 1 − α."""
    gap = math.sqrt((1 - a) * (1 - b))
    return round(1 - gap, 1 - math.floor(math.log10(gap)))


def climb(value: Callable[[int], float], start: int, count: int) -> int:
    """The step of 0 to count − 1 reached by going to the better neighbour until neither is better."""
    here = start
    while True:
        best = max(range(max(0, here - 1), min(count, here + 2)), key=value)
        if value(best) <= value(here):
            return here
        here = best


def _with_alpha(scheme: Scheme, alpha: float) -> Scheme:
    return replace(scheme, estimator=Quantile(alpha))


class _Measured:
    """Measures each α once and remembers it; the floating-point outputs are computed once and kept."""

    def __init__(
        self,
        network: Network,
        scheme: Scheme,
        clips: Sequence[Sequence[Tensor]],
        progress: Callable[[], None] | None,
    ) -> None:
        self.network, self.scheme, self.clips, self.progress = network, scheme, clips, progress
        self.task, self.primary = task_for(network), primary_output(network)
        self.points: dict[float, AlphaPoint] = {}
        self._references = []
        for clip in clips:
            exact = FloatStream(network)
            with torch.no_grad():
                self._references.append([exact.run(x) for x in clip])

    def __call__(self, alpha: float) -> AlphaPoint:
        if alpha not in self.points:
            with torch.no_grad():
                self.points[alpha] = self._measure(alpha)
            if self.progress:
                self.progress()
        return self.points[alpha]

    def _measure(self, alpha: float) -> AlphaPoint:
        with warnings.catch_warnings():
            # They concern one trial; whoever calibrates the scheme found sees those that concern it.
            warnings.simplefilter("ignore", CalibrationWarning)
            quantized = calibrate(self.network, _with_alpha(self.scheme, alpha), self.clips)
        stream, sqnr = quantized.stream(), Sqnr()
        agreement = agreement_for(self.task) if self.task else None
        for clip, references in zip(self.clips, self._references, strict=True):
            stream.reset()
            for frame, reference in zip(clip, references, strict=True):
                output = stream.run(frame)
                sqnr.update(reference[self.primary], output[self.primary])
                if agreement:
                    agreement.update(reference, output)
        return AlphaPoint(alpha, sqnr.result(), agreement.result() if agreement else {})
