"""Grids that are predicted all at once are those that the simulation predicts one by one, to the last bit."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from videoquant.engine.predictions import Predictions
from videoquant.engine.tables import unsigned
from videoquant.quantizers.predictor import Predictor
from videoquant.quantizers.ranges import MinMax
from videoquant.simulate.activations import PredictedGrid


class Grids:
    """A session that only keeps its grids."""

    def __init__(self):
        self.found = {}

    def set_grid(self, index, scale, zero, low, high):
        self.found[index] = {"scale": scale, "zero": zero, "low": low, "high": high}


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 7))
def test_all_at_once_is_one_by_one(seed, count, features):
    random = np.random.default_rng(seed)
    names = tuple(f"f{i}" for i in range(features))
    sources = []
    for _ in range(count):
        symmetric, ends = bool(random.integers(2)), np.sort(random.normal(size=(2, 2)), 1).tolist()
        ends[0] = [min(end, 0.0) for end in ends[0]]
        ends[1] = [max(end, 0.0) for end in ends[1]]
        slopes = tuple(map(tuple, random.normal(size=(2, features)).tolist()))
        intercepts = tuple(random.normal(size=2).tolist())
        predictor = Predictor("x", names, slopes, intercepts, *map(tuple, ends), (0.0, 1.0), 1.0)
        sources.append(PredictedGrid(predictor, MinMax(), int(random.integers(2, 9)), symmetric))
    seen = random.normal(size=features)
    session, indices = Grids(), list(range(5, 5 + count))
    Predictions(
        indices, [s.predictor for s in sources], [s.bits for s in sources], [s.symmetric for s in sources]
    ).set(session, seen)
    for index, source in zip(indices, sources, strict=True):
        assert session.found[index] == unsigned(source.grid(None, {"x": seen}))
