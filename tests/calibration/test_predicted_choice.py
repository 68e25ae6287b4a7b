"""Positions predict unless the network's outputs are then worse than with static ranges everywhere."""

from dataclasses import replace

import pytest

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.calibration import predicted_choice
from videoquant.calibration.predicted_choice import better_predicted
from videoquant.ranges.grid import Grid
from videoquant.ranges.sources import PredictedGrid, StaticGrid
from videoquant.simulate.quantized import QuantizedNetwork

NETWORK = small_network()
FRAMES = [NETWORK.prepare(frame * (0.5 + i % 4)) for i, frame in enumerate(moving_frames(12))]
SCHEMES = ["w8a8 minmax", "w8a8->w8a8 T=3 minmax"]


def calibrated(text, scale=1.0, at=None):
    """A network with predicted ranges at two positions, those of the one times `scale`, and its clips."""
    scheme = vq.Scheme.parse(f"{text} qpp=5 at=input,classify no-bias-correction always-residual")
    quantized = vq.quantize(NETWORK, scheme, FRAMES)

    def of(source):
        if not isinstance(source, PredictedGrid) or source.predictor.position != at:
            return source
        p = source.predictor
        slopes = tuple(tuple(scale * slope for slope in end) for end in p.slopes)
        ends = {name: tuple(scale * x for x in getattr(p, name)) for name in ("intercepts", "lows", "highs")}
        return replace(source, predictor=replace(p, slopes=slopes, **ends))

    grids = {
        point: replace(pair, key=of(pair.key), residual=pair.residual and of(pair.residual))
        for point, pair in quantized.grids.items()
    }
    period = scheme.period
    clips = [FRAMES[i : i + period] for i in range(0, len(FRAMES), period)]
    return QuantizedNetwork(NETWORK, scheme, quantized.weights, grids), clips


def stand_ins(quantized, scale=1.0):
    """A static grid for each that is predicted: of its average range, times `scale`."""
    sources = {source for pair in quantized.grids.values() for source in (pair.key, pair.residual)}
    found = {}
    for source in sources:
        if isinstance(source, PredictedGrid):
            grid = source.first_grid
            found[source] = StaticGrid(Grid(grid.scale * scale, grid.zero_point, grid.low, grid.high))
    return found


@pytest.mark.parametrize("text", SCHEMES)
def test_what_predicts_well_stays(text):
    quantized, clips = calibrated(text)
    assert len(quantized.watched) == 2
    kept = better_predicted(quantized, NETWORK, stand_ins(quantized, 50), clips)
    assert kept.grids == quantized.grids


@pytest.mark.parametrize("text", SCHEMES)
def test_a_position_that_misleads_is_static_and_the_other_stays(text):
    first, second = calibrated(text)[0].watched
    quantized, clips = calibrated(text, 50, first)
    static = stand_ins(quantized)
    found = better_predicted(quantized, NETWORK, static, clips)
    assert list(found.watched) == [second]
    for point, pair in found.grids.items():
        before = quantized.grids[point].key
        assert pair.key == (static[before] if before.predictor.position == first else before)


@pytest.mark.parametrize("text", SCHEMES)
def test_no_more_is_given_up_than_it_takes(text):
    first, _ = calibrated(text)[0].watched
    quantized, clips = calibrated(text, 4, first)  # it misleads, but static ranges everywhere are worse
    assert better_predicted(quantized, NETWORK, stand_ins(quantized, 50), clips) is quantized


def test_all_is_static_where_nothing_less_helps(monkeypatch):
    quantized, clips = calibrated(SCHEMES[0])
    errors = {2: 1.0, 1: 2.0, 0: 0.5}  # by how many positions predict: no step on the way is better
    monkeypatch.setattr(predicted_choice, "stream_error", lambda tried, runs: errors[len(tried.watched)])
    found = better_predicted(quantized, NETWORK, stand_ins(quantized), clips)
    assert not found.watched


def test_without_predictions_nothing_is_compared():
    quantized = vq.quantize(NETWORK, "w8a8", FRAMES)
    assert better_predicted(quantized, NETWORK, {}, [[frame] for frame in FRAMES]) is quantized
