"""The rule of regions for a budget: the boldest of a few that keeps what the task measures.

The rules stand on a ladder, from careful to bold. All of them see the same short runs of frames, from all
over a clip, beside the network with every frame computed in full. A rung holds where at most one run in ten
loses more than the budget: of K runs the ⌈0.9·(K + 1)⌉-th in order of their loss must not. Another run, drawn
as these were, loses no more than that one with a probability of 0.9 at least, however losses are distributed;
and many runs together, good and bad ones, seldom lose as much as so bad a one. The ladder is climbed from its
careful end and left at the first rung that fails, so that looking at several adds nothing to that risk
(Angelopoulos et al., "Conformal Risk Control", ICLR 2024, with the loss "this run exceeds the budget").
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from statistics import fmean

from torch import Tensor

from videoquant.axes import Regions
from videoquant.data.clip import Frame
from videoquant.errors import CalibrationWarning, DataError
from videoquant.runtime.clock import follows
from videoquant.runtime.plan import Plan
from videoquant.runtime.stream import open_stream
from videoquant.scheme_text import write_rule
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.base import Task
from videoquant.tasks.classification import Classification
from videoquant.tasks.sqnr import Sqnr

Outputs = dict[str, Tensor]

RUN = 8  # frames of a run
RUNS, CLASS_RUNS = 19, 76  # how many runs; of classes, which are wrong seldom but for a while, more
CONFIDENCE = 0.9
FEWEST = 4  # runs that show what the task measures: fewer say nothing of others
SHARES = {"": 1.0, "%": 0.01}  # what a measure's unit is of a share, which is what budgets are

LADDER = (  # from careful to bold
    Regions(trigger=3.0, floor=6, margin=4),
    Regions(trigger=4.0, floor=8, margin=3),
    Regions(trigger=6.0, floor=12, margin=3),
    Regions(),
    Regions(trigger=8.0, floor=24),
    Regions(trigger=8.0, floor=24, margin=1, memory=20),
    Regions(trigger=10.0, floor=32, margin=1, memory=20),
)


@dataclass(frozen=True)
class RegionBudget:
    """A rule of regions that keeps a budget.

    regions: for `open_stream(plan, regions=…)`.
    measure: what is lost, e.g. "keypoint F1".
    loss: what all runs lose at most but one in ten, as a share.
    confidence: the probability that another such run loses no more than that, at least.
    runs: how many showed what is measured; 0 where the rule is the default, and the other numbers unknown.
    work: the share of multiply–accumulates that was done, 0 … 1.
    """

    regions: Regions
    measure: str
    loss: float = math.nan
    confidence: float = math.nan
    runs: int = 0
    work: float = math.nan

    def __str__(self) -> str:
        if not self.runs:
            return f"{write_rule(self.regions)}, the default"
        return (
            f"{write_rule(self.regions)}: a run of frames loses at most {self.loss:.2g} of {self.measure}, "
            f"with {self.confidence:.0%} confidence after {self.runs} runs, at {self.work:.0%} of the work"
        )


def fit_regions(
    plan: Plan,
    frames: Iterable[Frame],
    budget: float,
    task: Task | None = None,
    progress: Callable[[], None] = lambda: None,
    threads: int = 2,
) -> RegionBudget:
    """The boldest rule of `LADDER` with which at most one run of frames in ten loses more than a budget.

    frames: of the clip or one like it, in order, in `runs_for(task)` runs of `run_length` from all over it;
        longer runs are cut. They are read once.
    budget: how far the task's first measure may fall against every frame computed in full, as a share: 0.02
        is a keypoint F1, mask IoU or top-1 agreement of 0.98, or landmarks off by 2% of the body's or face's
        size. Of pictures, and without a task, it is the relative error of the first output.
    task: what the outputs mean (`plan.task`).
    progress: called after each run.
    Warns (`CalibrationWarning`) and gives the default rule where fewer than `FEWEST` runs show what is
    measured, as of keypoints in an empty scene, or where it is the same on all frames.
    Raises `DataError` for a budget that is below 0 or not finite, without two frames in a row, and where the
    most careful rule exceeds the budget; `SchemeError` for a plan that does not run in mode regions.
    """
    return try_rules(plan, frames, budget, task, progress, threads).choose(budget)


def try_rules(
    plan: Plan,
    frames: Iterable[Frame],
    most: float,
    task: Task | None = None,
    progress: Callable[[], None] = lambda: None,
    threads: int = 2,
) -> Tried:
    """What every rule loses, to choose among for budgets up to `most`; arguments as of `fit_regions`."""
    _check(most)
    runs = runs_for(task)
    base = plan.scheme.regions or Regions()
    whole = open_stream(plan, "regions", threads, regions=replace(base, refresh=1))  # all have their turn
    by_frame = isinstance(task, Classification)
    rungs = [Rung(plan, _on(base, rule), threads, by_frame) for rule in LADDER]
    between = Loss(task)
    last: Outputs = {}
    for run in _runs(frames, run_length(plan)):
        expected = [whole.run(frame.pixels) for frame in run]
        between.update(last or expected[0], expected[-1])
        last = expected[-1]
        for rung in rungs:
            rung.run(run, expected, task)
        # More than may fail already: no use in going on with it, or with bolder ones.
        failed = [sum(loss > most for loss in rung.losses) > runs - _place(runs) for rung in rungs[1:]]
        if any(failed):
            del rungs[1 + failed.index(True) :]
        progress()
    if not last:
        raise DataError("a budget is measured on frames that follow each other; give at least two")
    return Tried(base, rungs, between)


@dataclass(frozen=True)
class Tried:
    """Rules of regions and what they lost.

    base: the rule where frames say nothing.
    rungs: from careful to bold.
    between: how far outputs of different frames are from each other.
    """

    base: Regions
    rungs: list[Rung]
    between: Loss

    def choose(self, budget: float) -> RegionBudget:
        """The boldest within a budget; see `fit_regions`."""
        _check(budget)
        label, count = self.between.label, len(self.rungs[0].losses)
        if not self.between.result() or count < FEWEST:
            warnings.warn(
                f"these frames do not tell what regions lose of {label}, and they keep their default rule; "
                "calibrate on more frames, that show what it measures",
                CalibrationWarning,
                stacklevel=3,
            )
            return RegionBudget(self.base, label)
        found: Rung | None = None
        for rung in self.rungs:
            if rung.likely_loss > budget:
                break
            found = rung
        if found is None:
            careful = self.rungs[0]
            few = careful.by_frame and not any(careful.losses)
            so_far = f" (in {count} runs it lost nothing, which are too few to say so)" if few else ""
            raise DataError(
                f"no rule of regions keeps a budget of {budget:g}: the most careful may lose "
                f"{careful.likely_loss:.2g} of {label}{so_far}; {'give more frames, ' if few else ''}allow "
                "more, or compute every frame (mode frame or exact)"
            )
        count = len(found.losses)
        confidence = _place(count) / (count + 1)
        return RegionBudget(found.regions, label, found.likely_loss, confidence, count, fmean(found.work))


def runs_for(task: Task | None) -> int:
    """How many runs of frames a rule is sought on."""
    return CLASS_RUNS if isinstance(task, Classification) else RUNS


def run_length(plan: Plan) -> int:
    """How many frames a run has: `RUN`, or more where that is no whole number of a scheme's cycles."""
    period = plan.scheme.period
    return -(-RUN // period) * period


class Rung:
    """A rule of regions, and what it has lost.

    losses: of each run that showed what the task measures.
    work: the share of each frame that was computed.
    """

    def __init__(self, plan: Plan, regions: Regions, threads: int, by_frame: bool) -> None:
        """by_frame: whether what is measured is right or wrong in each frame."""
        self.regions, self.by_frame = regions, by_frame
        self.losses: list[float] = []
        self.work: list[float] = []
        self._stream = open_stream(plan, "regions", threads, regions=regions)

    def run(self, run: Iterable[Frame], expected: Iterable[Outputs], task: Task | None) -> None:
        """Count a run.

        The stream goes on from one to the next, so that it holds what is old. The first frame does not count,
        where losses are graded: more of it is computed than of one that follows.
        """
        lost = Loss(task)
        for number, (frame, outputs) in enumerate(zip(run, expected, strict=True)):
            found = self._stream.run(frame.pixels)
            if number or self.by_frame:
                lost.update(outputs, found)
                self.work.append(self._stream.work_share)
        loss = lost.result()
        if loss is not None:
            self.losses.append(loss)

    @property
    def likely_loss(self) -> float:
        """What at most one run in ten exceeds.

        A class is right or wrong, and once wrong it is for a while: most runs lose nothing, some much. So at
        least the mean that b runs of n with wrong frames allow. (3 + 1.6·b)/n of all runs are such ones, with
        95% confidence: the upper limit of a Poisson variable's mean, for b = 0 the rule of three. And such a
        run loses what these did in the mean, one that was not seen and lost a half among them.
        """
        count = len(self.losses)
        likely = sorted(self.losses)[_place(count) - 1]
        if not self.by_frame:
            return likely
        bad = sum(loss > 0 for loss in self.losses)
        return max(likely, (3 + 1.6 * bad) / count * (sum(self.losses) + 0.5) / (bad + 1))


class Loss:
    """How far outputs are from those of whole frames, as a share, over the frames of a run.

    label: what is lost.
    """

    def __init__(self, task: Task | None) -> None:
        measure = task.measures[0] if task else None
        self._measure = measure if measure and measure.unit in SHARES else None
        self._agreement = agreement_for(task) if task and self._measure else None
        self._output = task.primary if task else None
        self._sqnr = Sqnr()
        self.label = self._measure.label if self._measure else "the output's size"

    def update(self, expected: Outputs, outputs: Outputs) -> None:
        """Add a frame."""
        if self._agreement:
            self._agreement.update(expected, outputs)
        else:
            name = self._output or next(iter(expected))
            self._sqnr.update(expected[name], outputs[name])

    def result(self) -> float | None:
        """None where nothing showed what is measured."""
        if not self._measure or not self._agreement:
            return math.sqrt(self._sqnr.noise / max(self._sqnr.signal, 1e-30))
        met, share = self._agreement.result().get(self._measure.name), SHARES[self._measure.unit]
        best = 1 / share if self._measure.higher_is_better else 0.0
        return None if met is None else share * self._measure.gain(best, met)


def _on(base: Regions, rule: Regions) -> Regions:
    """A rule of the ladder with what a scheme says of the rest."""
    return replace(rule, rest=base.rest, refresh=base.refresh, grow=base.grow, block=base.block)


def _place(count: int) -> int:
    """Of so many runs in order of their loss, the one that another exceeds once in ten times at most."""
    return min(count, math.ceil(CONFIDENCE * (count + 1)))


def _check(budget: float) -> None:
    if not 0 <= budget < math.inf:
        raise DataError(f"the budget is {budget}; it must be 0 or more, and finite")


def _runs(frames: Iterable[Frame], length: int) -> Iterator[list[Frame]]:
    """Frames that follow each other, `length` of them or, where they end sooner, at least two."""
    run: list[Frame] = []
    for frame in frames:
        if run and (len(run) == length or not follows(run[-1].index, frame.index)):
            if len(run) > 1:
                yield run
            run = []
        run.append(frame)
    if len(run) > 1:
        yield run
