"""Thresholds of the mode bounded: within the budget, worth their loss, and the bound itself."""

import numpy as np
import pytest
import torch

import videoquant as vq
from tests.networks import small_network
from videoquant.data.video import Frame
from videoquant.engine import calibrate_thresholds, lower
from videoquant.engine.thresholds import LEVELS, Trial, _Bench, _two_levels
from videoquant.errors import CalibrationWarning, DataError, SchemeError
from videoquant.tasks.agreement import Mean, agreement_for
from videoquant.tasks.base import Measure, Task


@pytest.fixture(scope="module")
def frames():
    """A still picture under noise, and a patch that wanders."""
    rng = np.random.default_rng(0)
    still = rng.integers(60, 190, (16, 16, 3))
    result = []
    for index in range(8):
        pixels = still + rng.integers(-2, 3, still.shape)
        pixels[index : index + 4, 2:6] = 250
        result.append(Frame(pixels.clip(0, 255).astype(np.uint8), index))
    return result


@pytest.fixture(scope="module")
def plan(frames):
    return lower(vq.quantize(small_network(), "w8a8", frames))


def test_losses_stay_within_the_budget_and_a_larger_one_saves_more(plan, frames):
    bench = _Bench(plan, frames, None, threads=1)
    trials = [bench.run(calibrate_thresholds(plan, frames, budget)) for budget in (0, 0.02, 0.2)]
    assert trials[0].loss == 0
    assert trials[1].loss <= 0.02 and trials[2].loss <= 0.2
    assert trials[2].cost < trials[0].cost
    assert trials[2].cost <= trials[1].cost <= trials[0].cost


def test_thresholds_belong_to_points_that_layers_read(plan, frames):
    thresholds = calibrate_thresholds(plan, frames, 0.2)
    assert thresholds and all(0 < tau <= 255 for tau in thresholds.values())
    plan.stream("bounded", thresholds=thresholds).run(frames[0])
    with pytest.raises(SchemeError, match="no such quantizer point"):
        plan.stream("bounded", thresholds={"nowhere": 1})


def test_codes_are_never_out_of_date_by_more_than_the_threshold(plan, frames):
    slots = plan.points
    name = next(name for name in slots if name.startswith(plan.slots[0].name))
    bounded, exact = plan.stream("bounded", threads=1, thresholds={name: 3}), plan.stream("exact", threads=1)
    bounded.always_follow(), exact.always_follow()
    differ = 0
    for frame in frames:
        bounded.run(frame), exact.run(frame)
        held, now = (s._session.slot(slots[name]).astype(int) for s in (bounded, exact))
        assert np.abs(held - now).max() <= 3
        differ += int((held != now).sum())
    assert differ > 0


def test_bounded_does_not_depend_on_threads(plan, frames):
    thresholds = calibrate_thresholds(plan, frames, 0.1)
    one, three = (plan.stream("bounded", threads=n, thresholds=thresholds) for n in (1, 3))
    for frame in frames * 5:
        a, b = one.run(frame), three.run(frame)
        assert all(torch.equal(a[output], b[output]) for output in a)


def test_flicker_everywhere_is_passed_over(plan, frames):
    rng = np.random.default_rng(1)
    still = frames[0].pixels.astype(int)
    flicker = [
        Frame((still + rng.integers(-2, 3, still.shape)).clip(0, 255).astype(np.uint8), i) for i in range(8)
    ]
    bench = _Bench(plan, flicker, None, threads=1)
    trial = bench.run(calibrate_thresholds(plan, flicker, 0.2))
    assert trial.cost < 0.3 * bench.run({}).cost and trial.loss <= 0.2


def test_noise_is_met_where_it_comes_in():
    """Two values, tried along the line where the budget ends: the cheapest pair wins."""
    tried = []

    def attempt(levels):
        at_input, others = levels["input"], levels["layer"]
        assert levels["head"] == others
        tried.append((at_input, others))
        cost = 1 - 0.03 * at_input - 0.1 * min(others, 1)
        return Trial(cost, noise=0.0, loss=0.01 * at_input + 0.04 * others)

    points = ["input", "layer", "head"]
    levels, trial = _two_levels(points, ["input"], attempt, budget=0.105)
    assert levels == {"input": 6, "layer": 1, "head": 1} and trial.loss <= 0.105
    assert len(tried) == len(set(tried)) <= 2 * len(LEVELS)
    levels, trial = _two_levels(points, ["input"], attempt, budget=0)
    assert levels == dict.fromkeys(points, 0) and trial.cost == 1
    levels, _ = _two_levels(points[1:], [], lambda t: attempt(t | {"input": 0}), budget=0.1)
    assert levels == {"layer": 1, "head": 1}  # the second saves nothing more


class Constant(Task):
    """A task whose measure sees no difference, ever."""

    measures = (Measure("same", "sameness"),)

    def draw(self, pixels, outputs):
        return pixels


@agreement_for.register
def _(task: Constant):
    return Mean("same", task.primary, lambda a, b: 1.0)


def test_a_measure_that_sees_nothing_is_replaced(plan, frames):
    output = plan.stream("frame").run(frames[0])
    task = Constant(next(iter(output)), (16, 16), plan.preprocessing)
    with pytest.warns(CalibrationWarning, match="sameness is the same on all frames"):
        thresholds = calibrate_thresholds(plan, frames, 0.1, task)
    assert thresholds == calibrate_thresholds(plan, frames, 0.1)


class Brightness(Task):
    """The mean of the first output, 1 − which stands for an accuracy and which for an error."""

    higher = True

    @property
    def measures(self):
        return (Measure("near", "nearness", higher_is_better=self.higher),)

    def draw(self, pixels, outputs):
        return pixels


@agreement_for.register
def _(task: Brightness):
    sign = -1 if task.higher else 1
    return Mean("near", task.primary, lambda a, b: sign * float((a - b).abs().mean() / a.abs().mean()))


class Error(Brightness):
    higher = False


def test_of_an_error_more_is_worse(plan, frames):
    name = next(iter(plan.stream("frame").run(frames[0])))
    every = dict.fromkeys(plan.points, 255)
    losses = [
        _Bench(plan, frames, kind(name, (16, 16), plan.preprocessing), 1).run(every).loss
        for kind in (Brightness, Error)
    ]
    assert losses[0] == losses[1] > 0


def test_a_measure_that_tells_frames_apart_is_not_blind(plan, frames):
    name = next(iter(plan.stream("frame").run(frames[0])))
    for kind, blind in ((Brightness, False), (Constant, True)):
        task = kind(name, (16, 16), plan.preprocessing)
        assert _Bench(plan, frames, task, 1).is_blind() is blind


def test_the_first_frame_which_has_none_before_it_is_not_counted(plan, frames):
    """Of a picture that stands still no layer is computed again: each frame but the first costs the same."""
    films = [[Frame(frames[0].pixels, index) for index in range(count)] for count in (2, 6)]
    short, long = (_Bench(plan, still, None, 1).run({}).cost for still in films)
    assert short == pytest.approx(long) and short < 0.2


def test_a_still_clip_finds_no_thresholds(plan, frames):
    still = [Frame(frames[0].pixels, index) for index in range(8)]
    with pytest.warns(CalibrationWarning, match="nothing moves in these frames"):
        assert calibrate_thresholds(plan, still, 0.02) == {}


def test_refused(plan, frames):
    with pytest.raises(DataError, match="budget is -1"):
        calibrate_thresholds(plan, frames, -1)
    with pytest.raises(DataError, match="budget is nan"):
        calibrate_thresholds(plan, frames, float("nan"))
    with pytest.raises(DataError, match="budget is inf"):
        calibrate_thresholds(plan, frames, float("inf"))
    with pytest.raises(DataError, match="at least two"):
        calibrate_thresholds(plan, frames[:1], 0.1)
    residual = lower(vq.quantize(small_network(), "w8a8->w4a4 T=2", frames))
    with pytest.raises(SchemeError, match="residual scheme"):
        calibrate_thresholds(residual, frames, 0.1)
