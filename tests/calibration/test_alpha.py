"""The search of α: what it measures, where it ends, and what it refuses."""

import warnings
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.calibration import alpha as module
from videoquant.calibration.alpha import LADDER, START, AlphaPoint, best_alpha, climb, half_way
from videoquant.calibration.calibrate import calibrate
from videoquant.errors import CalibrationWarning
from videoquant.tasks import Measure
from videoquant.tasks.sqnr import Sqnr

SCHEMES = ("w8a4", "w8a3 dynamic", "w8a8->w8a3 T=2", "w4a4 recurrent T=3")


@pytest.fixture(scope="module")
def network():
    return small_network(size=32)


def clips(period, count=3):
    return [moving_frames(period, size=32, seed=seed) for seed in range(count)]


@pytest.fixture
def calibrated(monkeypatch):
    """The schemes that were calibrated, in order."""
    seen = []

    def record(network, scheme, clips):
        seen.append(scheme)
        return calibrate(network, scheme, clips)

    monkeypatch.setattr(module, "calibrate", record)
    return seen


@pytest.mark.parametrize("exhaustive", [False, True])
@pytest.mark.parametrize("text", SCHEMES)
def test_the_best_of_the_curve_is_found_and_nothing_is_measured_twice(network, calibrated, text, exhaustive):
    scheme, calls = vq.Scheme.parse(text), []
    curve = vq.search_alpha(network, scheme, clips(scheme.period), lambda: calls.append(1), exhaustive)
    alphas = [point.alpha for point in curve.points]
    assert curve.best == max(curve.points, key=lambda point: point.sqnr_db).alpha
    assert curve.scheme == replace(scheme, estimator=vq.Quantile(curve.best))
    assert curve.frames == 3 * scheme.period
    assert alphas == sorted(set(alphas))
    tried = [trial.estimator.alpha for trial in calibrated]
    assert sorted(tried) == alphas  # nothing twice
    assert len(calls) == len(alphas)
    assert not exhaustive or set(LADDER) <= set(alphas)
    assert exhaustive or START in tried[:3]
    assert {replace(trial, estimator=scheme.estimator) for trial in calibrated} == {scheme}


def test_greedy_search_ends_at_the_optimum_of_the_whole_ladder(network):
    greedy, whole = (
        vq.search_alpha(
            network, vq.Scheme.parse("w8a3 no-bias-correction"), clips(1, 6), exhaustive=exhaustive
        )
        for exhaustive in (False, True)
    )
    assert len(greedy.points) < len(whole.points)
    assert greedy.best == whole.best
    known = {point.alpha: point for point in whole.points}
    assert all(point == known[point.alpha] for point in greedy.points)


def test_points_are_what_a_stream_of_the_calibrated_scheme_gives(network):
    frames = clips(2)
    curve = vq.search_alpha(network, vq.Scheme.parse("w8a8->w8a4 T=2"), frames)
    stream, sqnr = calibrate(network, curve.scheme, frames).stream(), Sqnr()
    for clip in frames:
        stream.reset()
        for frame in clip:
            sqnr.update(network(frame)["map"], stream(frame)["map"])
    (best,) = (point for point in curve.points if point.alpha == curve.best)
    assert best.sqnr_db == pytest.approx(sqnr.result(), abs=1e-9)
    assert best.agreement == {}  # this network's task is not known


F1 = Measure("f1", "keypoint F1")


def points_of(*rows):
    return [AlphaPoint(alpha, db, {} if f1 is None else {"f1": f1}) for alpha, db, f1 in rows]


def test_where_the_measure_falls_sqnr_does_not_decide():
    points = points_of((0.99, 12.0, 0.0), (0.999, 10.0, 0.80), (0.9999, 9.0, 0.81))
    assert best_alpha(points, F1) == 0.999
    assert best_alpha(points, None) == 0.99
    distance = replace(F1, higher_is_better=False, unit="%")
    assert (
        best_alpha(points_of((0.99, 12.0, 40.0), (0.999, 10.0, 3.0), (0.9999, 9.0, 2.5)), distance) == 0.999
    )


def test_without_anything_to_measure_sqnr_decides():
    assert best_alpha(points_of((0.99, 8.0, None), (0.999, 10.0, None)), F1) == 0.999
    # Only where nothing was right the output shows what is not there.
    assert best_alpha(points_of((0.99, 12.0, None), (0.999, 10.0, 0.5)), F1) == 0.999


def test_each_clip_begins_with_a_keyframe(network):
    """Three frames and T = 2: the state left by the first clip is that of a residual frame to come."""
    scheme, both = vq.Scheme.parse("w8a8->w8a4 T=2"), clips(3, 2)
    curve = vq.search_alpha(network, scheme, both)
    sqnr, quantized = Sqnr(), calibrate(network, curve.scheme, both)
    for clip in both:
        stream = quantized.stream()
        for frame in clip:
            sqnr.update(network(frame)["map"], stream(frame)["map"])
    (best,) = (point for point in curve.points if point.alpha == curve.best)
    assert best.sqnr_db == pytest.approx(sqnr.result(), abs=1e-9)


def test_predicted_ranges_have_an_alpha_too(network):
    curve = vq.search_alpha(network, vq.Scheme.parse("w8a4 qpp=2"), clips(1, 8))
    assert str(curve.scheme).startswith("w8a4 qpp=2 quantile=0.9")


def test_the_search_leaves_the_networks_gradients_alone(network):
    frames = [[frame.clone().requires_grad_() for frame in clip] for clip in clips(1, 2)]
    vq.search_alpha(network, vq.Scheme.parse("w8a8"), frames)
    assert all(frame.grad is None for clip in frames for frame in clip)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("w8a4 ds=1%", "the density of ds= sets the range"),
        ("fp32", "left in floating point"),
        ("w4a32", "left in floating point"),
    ],
)
def test_schemes_without_alpha_are_refused(network, text, reason):
    with pytest.raises(vq.SchemeError, match=reason):
        vq.search_alpha(network, vq.Scheme.parse(text), clips(1))


@pytest.mark.parametrize("text", ["w8a8", "w8a8 dynamic"])
def test_no_frames_are_refused(network, text):
    with pytest.raises(vq.DataError, match="at least 1 frame; got none"):
        vq.search_alpha(network, vq.Scheme.parse(text), [])


def test_trials_do_not_warn(network):
    still = [[frame] * 2 for frame in moving_frames(2, size=32)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vq.search_alpha(network, vq.Scheme.parse("w8a8->w4a4 T=2"), still)


def test_where_every_alpha_gives_the_same_the_default_is_kept():
    """A black frame through layers without biases is zero everywhere."""
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.Conv2d(4, 2, 1, bias=False))
    network = vq.capture(module, torch.rand(1, 3, 8, 8))
    with pytest.warns(CalibrationWarning, match="every α gives the same"):
        curve = vq.search_alpha(network, vq.Scheme.parse("w8a4"), [[torch.zeros(1, 3, 8, 8)]])
    assert curve.best == vq.Quantile().alpha and curve.best in [point.alpha for point in curve.points]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.data())
def test_climbing_ends_where_no_neighbour_is_better(values, data):
    start = data.draw(st.integers(0, len(values) - 1))
    end = climb(values.__getitem__, start, len(values))
    assert values[end] >= values[start]
    assert values[end] == max(values[max(0, end - 1) : end + 2])
    if values == sorted(set(values)):
        assert end == len(values) - 1


def test_half_way_is_in_between_and_short():
    assert half_way(0.998, 0.999) == 0.9986
    assert half_way(0.999, 0.9995) == 0.99929
    inner = LADDER[:-1]
    for a, b in pairwise(inner):
        assert a < half_way(a, b) == half_way(b, a) < b
