"""Thresholds for the mode "bounded": by how much a code may be out of date, point by point, within a budget.

The engine then takes a code over only where it moved by more than the threshold τ of its quantizer point. A
larger τ saves work and costs accuracy, and where it does which depends on the network and the clip. So τ is
found on unlabelled frames. First as two values, one for the network's input and one for all other points: a
camera's noise is best met where it comes in, and where everything flickers no point alone saves much. Then
greedily: of all points the one is raised that saves most work for what the outputs move, as long as the
task's measure of that stays within the budget.

What the outputs move is measured twice: by the root of noise over signal, which is smooth and so tells good
steps from bad ones, and by the task's own measure, which is what the budget is for.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from torch import Tensor

from videoquant.data.video import Frame
from videoquant.errors import CalibrationWarning, DataError
from videoquant.network.input_arrays import prepare
from videoquant.runtime.clock import follows
from videoquant.runtime.plan import Plan
from videoquant.runtime.program import Op, StoreCodes
from videoquant.runtime.stream import open_stream
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.base import Task
from videoquant.tasks.sqnr import Sqnr

LEVELS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24)  # of τ, in steps of the point's grid
LEAST_GAIN = 0.001  # of a dense frame's cost: what a step must save to be taken
JUMP = 3  # levels at once: noise of one or two steps is only met by all of them


@dataclass(frozen=True)
class Trial:
    """What thresholds do on the frames.

    cost: of a frame, relative to a dense one. noise: of the primary output, the root of noise over signal.
    loss: by how much the task's first measure is worse than for equal outputs; without a task, the noise.
    """

    cost: float
    noise: float
    loss: float


def calibrate_thresholds(
    plan: Plan,
    frames: Iterable[Frame],
    budget: float,
    task: Task | None = None,
    progress: Callable[[], None] = lambda: None,
    threads: int = 2,
) -> dict[str, int]:
    """The thresholds τ of a plan's points, by name, for `plan.stream(mode="bounded", thresholds=…)`.

    frames: of the clip or one like it, in order, in a few runs from all over it: what is held from one run
        to the next shows what is held for long. About 30 frames take a minute.
    budget: by how much the outputs may move from those of mode "frame": the loss of the task's first measure
        (0.02: keypoint F1, mask IoU or top-1 agreement of 0.98; in the measure's unit, e.g. per cent of a
        face's size for landmarks), or without a task the relative error of the first output.
    task: what the outputs mean (`videoquant.tasks.task_for(network)`). progress: called after each trial.
    Warns (`CalibrationWarning`) where the task's measure does not even tell frames from those half a clip
    away, such as keypoints of an empty scene: it would allow anything, so the relative error of the output
    takes its place. Warns too where nothing moves by more than a level of the pixels: no threshold would
    cost anything, so there are none (mode exact). Raises `DataError` for a budget that is below 0 or not
    finite and without two frames in a row, `SchemeError` for a plan that does not run in mode bounded.
    """
    if not 0 <= budget < math.inf:
        raise DataError(f"the budget is {budget}; it must be 0 or more, and finite")
    frames = list(frames)
    bench = _Bench(plan, frames, task, threads)
    if task is not None and bench.is_blind():
        bench.task = None
        message = (
            f"{task.measures[0].label} is the same on all frames, so it cannot tell what thresholds cost; "
            f"they keep the output's relative error within {budget:g} instead. Calibrate on frames that show "
            "what it measures"
        )
        warnings.warn(message, CalibrationWarning, stacklevel=2)
    if bench.is_still():
        message = (
            "nothing moves in these frames, so they cannot tell what thresholds cost, and there are none "
            "(mode exact). Calibrate on frames like those that will come"
        )
        warnings.warn(message, CalibrationWarning, stacklevel=2)
        return {}
    points = _points(plan)

    def attempt(levels: dict[str, int]) -> Trial:
        trial = bench.run(_thresholds(levels))
        progress()
        return trial

    level, now = _two_levels(points, _input_points(plan), attempt, budget)
    # A point that promised little is looked at again only when no other promises more (lazy greedy).
    promise = dict.fromkeys(points, math.inf)
    while promise:
        best: tuple[float, dict[str, int], Trial] | None = None
        for point in sorted(promise, key=lambda p: -promise[p]):
            if best is not None and promise[point] <= best[0]:
                break
            promise[point] = 0.0
            for jump in range(1, JUMP + 1):
                tried = level | {point: level[point] + jump}
                if tried[point] >= len(LEVELS):
                    break
                trial = attempt(tried)
                if trial.loss > budget:
                    break
                gain = now.cost - trial.cost
                if gain > LEAST_GAIN:
                    promise[point] = gain / max(trial.noise - now.noise, 1e-4)
                    if best is None or promise[point] > best[0]:
                        best = (promise[point], tried, trial)
                    break
            if promise[point] == 0:
                del promise[point]
        if best is None:
            break
        level, now = best[1], best[2]
    return _thresholds(level)


def _two_levels(
    points: Sequence[str],
    inputs: Sequence[str],
    attempt: Callable[[dict[str, int]], Trial],
    budget: float,
) -> tuple[dict[str, int], Trial]:
    """The cheapest levels within the budget of which there are two: of the input's points, and of the others.

    They are tried along the line where the budget ends: from the highest level of the input on, a trial
    within the budget raises the others', and one that exceeds it lowers the input's.
    """
    best = dict.fromkeys(points, 0)
    now = attempt(best)
    at_input, others = (len(LEVELS) - 1, 0) if inputs else (0, 1)
    while at_input >= 0 and others < len(LEVELS):
        tried = {point: at_input if point in inputs else others for point in points}
        trial = attempt(tried)
        if trial.loss > budget:
            at_input -= 1
            continue
        if trial.cost < now.cost:
            best, now = tried, trial
        others += 1
    return best, now


def _thresholds(levels: dict[str, int]) -> dict[str, int]:
    return {point: LEVELS[level] for point, level in levels.items() if level}


def _points(plan: Plan) -> list[str]:
    """The points that layers read, by name."""
    read = {slot for op in plan.programs["key"].ops for slot in op.inputs}
    return [name for name, slot in plan.points.items() if slot in read]


def _input_points(plan: Plan) -> list[str]:
    """Those of them that quantize the network's input itself."""
    steps = [step for op in plan.programs["key"].ops if 0 in op.inputs for step in op.steps]
    stored = {step.slot for step in steps if isinstance(step, StoreCodes)}
    return [name for name in _points(plan) if plan.points[name] in stored]


def _depthwise(op: Op) -> bool:
    return bool(op.kind == "conv" and op.attrs["groups"] == op.c > 1)


class _Bench:
    """Runs thresholds over the frames, against the outputs of mode "frame"."""

    def __init__(self, plan: Plan, frames: Sequence[Frame], task: Task | None, threads: int) -> None:
        self.plan, self.task, self.threads = plan, task, threads
        successive = [follows(a.index, b.index) for a, b in pairwise(frames)]
        if not any(successive):
            raise DataError("thresholds are calibrated on frames that follow each other; give at least two")
        self.counts = [False, *successive]
        # Resized and normalised once, not in every trial: that is a tenth to a fifth of its time.
        self.inputs = [prepare(frame, plan.preprocessing, plan.input_shape, plan.name) for frame in frames]
        stream = open_stream(plan, "frame", threads)
        self.reference = [stream.run(x) for x in self.inputs]
        self.costs = [_dense_cost(op) for op in plan.programs["key"].ops]

    def is_blind(self) -> bool:
        """Whether the task's measure takes every frame for the one half of them further on, or sees none."""
        compare, half = _Loss(self.task), len(self.reference) // 2
        for reference, other in zip(self.reference, self.reference[half:], strict=False):
            compare.update(reference, other)
            compare.update(other, reference)
        return compare.result() == 0

    def is_still(self) -> bool:
        """Whether no frame differs from the first by more than a level of its pixels anywhere."""
        first, level = self.inputs[0], self.plan.preprocessing.level
        return all(float(np.abs(x - first).max()) <= level for x in self.inputs)

    def run(self, thresholds: dict[str, int]) -> Trial:
        stream = open_stream(self.plan, "bounded", self.threads, thresholds)
        stream.always_follow()
        cost, counted = 0.0, 0
        compare = _Loss(self.task)
        # The stream goes on from run to run: what it holds of an earlier one is as old as after hours.
        for x, reference, counts in zip(self.inputs, self.reference, self.counts, strict=True):
            compare.update(reference, stream.run(x))
            if counts:
                cost += sum(self._shares(stream.layers()))
                counted += 1
        return Trial(cost / counted / sum(self.costs), compare.noise(), compare.result())

    def _shares(self, layers: Iterable[tuple[str, int, int, str]]) -> Iterator[float]:
        for dense, (_, macs, done, how) in zip(self.costs, layers, strict=True):
            # Changed groups take more than their share: neighbours differ, accumulators come and go.
            yield dense * (done / macs if macs else 1.0) * (1.6 if how == "residual" else 1.0)


def _dense_cost(op: Op) -> float:
    """About the cycles an operator takes: its dot products, and the work on each output value after them."""
    outputs: float = op.h * op.w * op.c
    if op.kind not in ("conv", "conv_transpose"):
        return 0.0 if op.kind == "map" else outputs / 4
    macs: float = outputs * op.tensors["weight"][0].size
    return macs / 16 / 2 + outputs / 4 if _depthwise(op) else macs / 128 + outputs / 4


class _Loss:
    """How far outputs are from those of mode "frame", summed over frames."""

    def __init__(self, task: Task | None) -> None:
        self.task = task
        self.agreement = agreement_for(task) if task else None
        self.equal = agreement_for(task) if task else None  # what equal outputs score
        self.sqnr = Sqnr()

    def update(self, reference: dict[str, Tensor], outputs: dict[str, Tensor]) -> None:
        name = self.task.primary if self.task else next(iter(reference))
        self.sqnr.update(reference[name], outputs[name])
        if self.agreement is not None and self.equal is not None:
            self.agreement.update(reference, outputs)
            self.equal.update(reference, reference)

    def noise(self) -> float:
        return math.sqrt(self.sqnr.noise / max(self.sqnr.signal, 1e-30))

    def result(self) -> float:
        if self.task is None or self.agreement is None or self.equal is None:
            return self.noise()
        measure = self.task.measures[0]
        equal, met = (part.result().get(measure.name) for part in (self.equal, self.agreement))
        return 0.0 if equal is None or met is None else measure.gain(equal, met)
