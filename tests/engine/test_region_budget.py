"""The rule of regions for a budget: the ladder, the budget kept, what is refused and what is not found."""

from dataclasses import replace
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import videoquant as vq
from tests.networks import small_network
from videoquant.data.video import Frame
from videoquant.engine import fit_regions, lower
from videoquant.engine.region_budget import (
    FEWEST,
    LADDER,
    Loss,
    RegionBudget,
    Rung,
    _place,
    _runs,
    run_length,
    runs_for,
    try_rules,
)
from videoquant.errors import CalibrationWarning, DataError, SchemeError
from videoquant.tasks.agreement import Mean, agreement_for
from videoquant.tasks.base import Measure, Task
from videoquant.tasks.classification import Classification

SIZE = 96
fit = partial(fit_regions, threads=1)
SMALL = {"block": 8}  # so that the picture has blocks to choose among


def film(count, first=0, contrast=60, noise=1):
    """A patch that wanders over a still picture, under noise."""
    rng = np.random.default_rng(first)
    still = np.random.default_rng(0).integers(90, 160, (SIZE, SIZE, 3))
    frames = []
    for index in range(first, first + count):
        pixels = still + rng.integers(-noise, noise + 1, still.shape)
        at = 2 * index % (SIZE - 12)
        pixels[20:32, at : at + 12] += contrast
        frames.append(Frame(pixels.clip(0, 255).astype(np.uint8), index))
    return frames


@pytest.fixture(scope="module")
def plan():
    return lower(vq.quantize(small_network(size=SIZE), "w8a8 regions block=8", film(8)))


@pytest.fixture(scope="module")
def by_frame():
    return lower(vq.quantize(small_network(size=SIZE), "w8a8", film(8)))


def likely_loss(by_frame, frames, rule):
    """What all runs lose of the output but one in ten, by a stream of its own and one of mode frame."""
    stream, whole = by_frame.stream(threads=1, regions=rule), by_frame.stream("frame", threads=1)
    losses = []
    for run in _runs(frames, 8):
        noise = signal = 0.0
        for number, frame in enumerate(run):
            expected, found = (next(iter(s.run(frame.pixels).values())) for s in (whole, stream))
            if number:
                signal += float(expected.double().square().sum())
                noise += float((expected.double() - found.double()).square().sum())
        losses.append((noise / signal) ** 0.5)
    return sorted(losses)[min(len(losses), int(np.ceil(0.9 * (len(losses) + 1)))) - 1]


def test_the_boldest_rule_within_the_budget(plan, by_frame):
    frames = film(40, contrast=21)
    may_lose = [likely_loss(by_frame, frames, replace(rule, **SMALL)) for rule in LADDER]
    assert may_lose[0] < may_lose[-1]  # else there is nothing to choose
    for budget in (may_lose[0], (may_lose[0] + may_lose[-1]) / 2, may_lose[-1]):
        found = fit(plan, frames, budget * (1 + 1e-9))  # what both lose is alike only to rounding
        place = next((i for i, loss in enumerate(may_lose) if loss > budget), len(LADDER)) - 1
        assert found.regions == replace(LADDER[place], **SMALL)
        assert found.loss == pytest.approx(may_lose[place], rel=1e-12)  # sums in another order
        assert (found.runs, found.confidence) == (5, 5 / 6)
        assert 0 < found.work <= 1


@pytest.mark.parametrize(("runs", "place"), [(5, 5), (8, 8), (9, 9), (10, 10), (19, 18), (29, 27), (99, 90)])
def test_one_run_in_ten_may_lose_more(runs, place):
    assert _place(runs) == place
    assert place == runs or place / (runs + 1) >= 0.9 > (place - 1) / (runs + 1)


def test_rules_tried_for_a_large_budget_are_chosen_among_for_small_ones(plan):
    frames = film(40, contrast=21)
    tried = try_rules(plan, frames, 0.5, threads=1)
    for budget in (0.5, 0.1, 0.05):
        assert tried.choose(budget) == fit(plan, frames, budget)


def test_a_rule_that_lost_much_is_not_gone_on_with(plan):
    tried = try_rules(plan, film(40, contrast=21), 1e-9, threads=1)
    assert [rung.regions for rung in tried.rungs] == [replace(LADDER[0], **SMALL)]


def test_bolder_rules_are_not_cheaper_to_no_end(plan):
    """Each rung computes no more than the one before it."""
    frames = film(40)
    work = []
    for rule in LADDER:
        stream = plan.stream(threads=1, regions=replace(rule, **SMALL))
        shares = []
        for frame in frames:
            stream.run(frame)
            shares.append(stream.work_share)
        work.append(sum(shares))
    assert all(bold <= careful for careful, bold in pairwise(work)) and work[-1] < work[0]


def test_a_budget_that_no_rule_keeps(plan):
    with pytest.raises(DataError, match="no rule of regions keeps a budget of 0: the most careful may lose"):
        fit(plan, film(40, noise=5), 0)


def test_frames_in_which_nothing_moves_leave_the_default(plan):
    still = [Frame(film(1)[0].pixels, index) for index in range(40)]
    with pytest.warns(CalibrationWarning, match="do not tell what regions lose of the output's size"):
        found = fit(plan, still, 0.02)
    assert (found.regions, found.runs) == (vq.Regions(**SMALL), 0)
    assert str(found) == "regions block=8, the default"


def test_a_few_frames_leave_the_default(plan):
    with pytest.warns(CalibrationWarning, match="calibrate on more frames"):
        assert fit(plan, film(8 * (FEWEST - 1)), 1.0).regions == vq.Regions(**SMALL)


def test_what_a_scheme_says_beside_the_ladder_stays():
    plan = lower(vq.quantize(small_network(size=SIZE), "w8a8 regions block=8 refresh=60 trigger=2", film(8)))
    found = fit(plan, film(40), 1.0).regions
    assert (found.block, found.refresh) == (8, 60)
    assert found == replace(LADDER[-1], block=8, refresh=60)


def test_residual_schemes_have_runs_of_whole_cycles():
    plan = lower(vq.quantize(small_network(size=SIZE), "w8a8->w4a4 T=3", film(9)))
    assert run_length(plan) == 9
    assert fit(plan, film(45), 1.0).runs == 5


def test_runs_are_frames_that_follow_each_other():
    frames = film(19) + film(5, 30) + film(1, 50) + film(2, 60)
    runs = [[frame.index for frame in run] for run in _runs(frames, 8)]
    assert runs == [[*range(8)], [*range(8, 16)], [16, 17, 18], [*range(30, 35)], [60, 61]]


class Share(Task):
    """1 − the relative error of the first output, as a share or an error in per cent."""

    measures = (Measure("same", "sameness"),)
    score = staticmethod(lambda error: 1 - error)

    @classmethod
    def of(cls, network):
        return None

    def draw(self, pixels, outputs):
        return pixels


class Percent(Share):
    measures = (Measure("off", "distance", "%", higher_is_better=False),)
    score = staticmethod(lambda error: 100 * error)


class Rare(Share):
    """Measured on no frame."""


@agreement_for.register
def _(task: Share):
    def score(a, b):
        return task.score(float((a - b).abs().sum() / a.abs().sum()))

    return Mean(task.measures[0].name, task.primary, score)


@agreement_for.register
def _(task: Rare):
    class Nothing(Mean):
        def _add(self, reference, output):
            return {}

        def _pooled(self):
            return {}

    return Nothing("same", task.primary, None)


def task_of(plan, kind):
    return kind(next(iter(plan.outputs)), (SIZE, SIZE), plan.preprocessing)


def test_a_budget_is_a_share_whatever_the_unit(plan):
    name = next(iter(plan.outputs))
    lost = {}
    for kind in (Share, Percent):
        loss = Loss(task_of(plan, kind))
        loss.update({name: torch.ones(1, 4)}, {name: torch.full((1, 4), 0.75)})
        lost[kind] = loss.result()
    assert lost == {Share: 0.25, Percent: pytest.approx(0.25)}


def test_without_a_task_the_relative_error(plan):
    loss = Loss(None)
    loss.update({"y": torch.tensor([3.0, 4.0])}, {"y": torch.tensor([3.0, 3.5])})
    assert loss.result() == pytest.approx(0.1) and loss.label == "the output's size"


def test_runs_that_do_not_show_what_is_measured_do_not_count(plan):
    with pytest.warns(CalibrationWarning, match="what regions lose of sameness"):
        found = fit(plan, film(40), 0.02, task_of(plan, Rare))
    assert found.runs == 0 and found.regions == vq.Regions(**SMALL)


def test_progress_and_text(plan):
    steps = []
    found = fit(plan, film(40), 1.0, progress=lambda: steps.append(1))
    assert len(steps) == 5 and str(found).startswith("regions ")
    assert str(RegionBudget(vq.Regions(floor=24), "keypoint F1", 0.0123, 0.9, 19, 0.31)) == (
        "regions floor=24: a run of frames loses at most 0.012 of keypoint F1, with 90% confidence after 19 "
        "runs, at 31% of the work"
    )


def test_a_class_that_was_always_right_may_be_wrong_in_three_runs_of_as_many(plan):
    name = next(iter(plan.outputs))
    task = Classification(name, (SIZE, SIZE), plan.preprocessing, probabilities=False)
    rung = Rung(plan, vq.Regions(**SMALL), 1, by_frame=True)
    rung.losses = [0.0] * 10
    assert rung.likely_loss == pytest.approx(0.3 * 0.5)  # such a run is thought to lose a half
    rung.losses[3] = 1 / 2
    assert rung.likely_loss == 1 / 2  # of ten runs none may lose more
    rung.losses = [0.0] * 75 + [1 / 8]
    assert rung.likely_loss == pytest.approx((3 + 1.6) / 76 * (1 / 8 + 1 / 2) / 2)
    assert (runs_for(None), runs_for(task)) == (19, 76)
    tried = try_rules(plan, film(40), 1.0, task, threads=1)
    for rung in tried.rungs:
        rung.losses = [0.0] * 5
    told_apart = replace(tried, between=SimpleNamespace(label="class", result=lambda: 0.5))
    with pytest.raises(DataError, match=r"\(in 5 runs it lost nothing, which are too few to say so\)"):
        told_apart.choose(0.02)
    assert all(rung.by_frame and len(rung.work) == 40 for rung in tried.rungs)


def test_refused(plan):
    for budget, said in ((-1, "-1"), (float("nan"), "nan"), (float("inf"), "inf")):
        with pytest.raises(DataError, match=f"the budget is {said}; it must be 0 or more"):
            fit(plan, film(2), budget)
    with pytest.raises(DataError, match="give at least two"):
        fit(plan, film(1), 0.1)
    dynamic = lower(vq.quantize(small_network(), "w8a8 dynamic", film(2)))
    with pytest.raises(SchemeError, match="needs static ones"):
        fit(dynamic, film(2), 0.1)
