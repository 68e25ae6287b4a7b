"""What predicted ranges learn of what a pass saw, and where they stay static."""

from types import SimpleNamespace

import numpy as np
import pytest

import videoquant as vq
from tests.networks import small_network
from videoquant.calibration.predicted_fit import PredictedFit
from videoquant.calibration.range_fit import Seen
from videoquant.quantizers.placement import layer_bits, points
from videoquant.ranges.estimators import MinMax
from videoquant.ranges.grid import Grid
from videoquant.ranges.sources import PredictedGrid, StaticGrid
from videoquant.simulate.parameters import FeatureSpec

SCHEME = vq.Scheme.parse("w8a8 qpp minmax")
NETWORK = small_network()
POINTS = points(NETWORK, layer_bits(NETWORK, SCHEME))
FIT = PredictedFit(NETWORK, SCHEME, {"relu": FeatureSpec(("max",), ("max",))})


def seen(layer, shown=None, same=False):
    """Ranges 0 … 2f of samples whose feature f is 1 to 12."""
    feature = np.arange(1.0, 13.0)[:, None]
    ranges = np.concatenate([np.zeros((12, 1)), 2 * feature], 1)
    shown = np.ones(12, bool) if shown is None else shown
    evidence = SimpleNamespace(blank=False, same=same, unseen=[], unvaried=[])
    sources = np.zeros(12, np.int64)
    return Seen(
        POINTS[layer], MinMax(), 8, False, ranges, sources, "mean", shown, {"relu": feature}, evidence
    )


def test_the_range_follows_the_feature():
    source = FIT.source(seen("classify"))
    assert isinstance(source, PredictedGrid) and source.predictor.position == "relu"
    grid = source.grid(None, {"relu": np.array([5.0])})
    assert grid.scale * 255 == pytest.approx(10, rel=0.02)


def test_before_the_first_position_the_range_is_the_average():
    assert FIT.source(seen("stem")) == StaticGrid(Grid.affine(0.0, 13.0, 8))


def test_frames_that_do_not_vary_teach_no_predictor():
    few = np.arange(12) < 2
    for what in (seen("classify", same=True), seen("classify", shown=few)):
        assert isinstance(FIT.source(what), StaticGrid)
        assert what.evidence.unvaried == [POINTS["classify"]]


def test_a_predictor_that_is_no_better_than_the_average_is_none():
    noise = seen("classify")
    noise.features["relu"] = np.random.default_rng(0).normal(size=noise.features["relu"].shape)
    assert isinstance(FIT.source(noise), StaticGrid) and not noise.evidence.unvaried


@pytest.mark.parametrize(
    ("words", "walks"),
    [("qpp=5 at=first-relu", 0), ("qpp at=input", 0), ("qpp", 1), ("qpp=3 at=input", 1), ("qpp=5", 1)],
)
def test_it_walks_twice_where_it_must_choose(words, walks):
    assert PredictedFit.walks(vq.Scheme.parse(f"w8a8 {words}")) == walks
