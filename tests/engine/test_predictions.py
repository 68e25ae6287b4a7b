"""Native features and grids are those that the simulation takes and predicts one by one, to the last bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.plan_interpreter import Interpreter
from videoquant import _native
from videoquant.engine.tables import unsigned
from videoquant.quantizers.features import DEFAULT, POOL, features
from videoquant.quantizers.predictor import Predictor
from videoquant.quantizers.ranges import MinMax, Threshold
from videoquant.runtime.predictions import Predictions
from videoquant.runtime.sizes import channels_last
from videoquant.simulate.activations import PredictedGrid


def empty_spec(grids=1):
    size = {"h": 1, "w": 1, "c": 1}
    slots = [{**size, "type": "f32", "keep": False, "name": "x"}]
    op = {"kind": "map", "name": "x", "inputs": [0], "attrs": {}, "tensors": {}, "steps": [], **size}
    grid = {"scale": 1.0, "zero": 0, "low": 0, "high": 255, "name": "g"}
    return {"version": 1, "slots": slots, "grids": [grid] * grids, "programs": {"key": [op]}, "outputs": {}}


def native_features(x, names, isa="", threads=1, reference=None):
    session = _native.Session(_native.Plan(empty_spec()), isa, threads)
    values = [None if value is None else channels_last(value) for value in (x, reference)]
    return session.predict(Predictions(x.shape, names, (), ()), *values)


def values(kind, shape, generator):
    """Values as activations have them, and as selection finds hard: ties, outliers, one value."""
    x = torch.randn(shape, generator=generator)
    match kind:
        case "relu6":
            return (x * 4).clamp(0, 6)
        case "outliers":
            return x.pow(9)
        case "steps":
            return (x * 2).round()
        case "constant":
            return torch.full(shape, -0.3)
        case "by channel":
            return x + 100 * torch.arange(shape[1]).reshape(1, -1, *[1] * (len(shape) - 2))
    return x


KINDS = ("normal", "relu6", "outliers", "steps", "constant", "by channel")


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(KINDS),
    st.sampled_from([(1, 3, 7, 5), (1, 64, 40, 38), (1, 8, 1, 1), (1, 40), (1, 70000), (1, 5, 200, 310)]),
    st.sets(st.sampled_from(POOL), min_size=1),
    st.sampled_from(_native.isas()),
)
def test_features_are_the_simulations(seed, kind, shape, names, isa):
    x = values(kind, shape, torch.Generator().manual_seed(seed))
    names = sorted(names)
    assert native_features(x, names, isa, threads=1 + seed % 2) == features(x, names).tolist()


def test_features_of_a_residual_are_those_of_its_magnitude():
    x, before = torch.randn(2, 1, 16, 90, 90)
    assert native_features(x, POOL, reference=before) == features((x - before).abs(), POOL).tolist()


def test_values_that_are_no_numbers_do_no_harm():
    x = torch.randn(1, 64, 40, 38)
    x[0, ::3] = np.nan
    x[0, 1] = np.inf
    assert len(native_features(x, POOL)) == len(POOL)


@given(st.integers(0, 2**32), st.integers(1, 9), st.sets(st.sampled_from(DEFAULT), min_size=1), st.booleans())
@settings(deadline=None)
def test_all_grids_at_once_are_those_one_by_one(seed, count, names, dense):
    random = np.random.default_rng(seed)
    names = tuple(sorted(names))
    sources = []
    for _ in range(count):
        symmetric, ends = bool(random.integers(2)), np.sort(random.normal(size=(2, 2)), 1).tolist()
        ends[0] = [min(end, 0.0) for end in ends[0]]
        ends[1] = [max(end, 1e-3 if dense else 0.0) for end in ends[1]]
        slopes = tuple(map(tuple, random.normal(size=(2, len(names))).tolist()))
        intercepts = tuple(random.normal(size=2).tolist())
        predictor = Predictor("x", names, slopes, intercepts, *map(tuple, ends), (0.0, 1.0), 1.0)
        estimator = Threshold(0.01) if dense else MinMax()
        sources.append(PredictedGrid(predictor, estimator, int(random.integers(2, 9)), symmetric))
    x = torch.from_numpy(random.normal(size=(1, 3, 9, 9)).astype(np.float32))
    twin = Interpreter(empty_spec(count))
    twin.predict(Predictions(x.shape, names, range(count), sources), channels_last(x))
    session = _native.Session(_native.Plan(spec := stored(count)), "", 1)
    session.predict(Predictions(x.shape, names, range(count), sources), channels_last(x))
    session.run("key", ramp := np.linspace(-3, 3, 97, dtype=np.float32).reshape(1, 97, 1))
    for index, grid in enumerate(twin.grids):
        assert unsigned(sources[index].grid(None, {"x": features(x, names)})) == {
            key: grid[key] for key in ("scale", "zero", "low", "high")
        }
        inverse = np.float32(1) / np.float32(grid["scale"])
        codes = np.clip(np.rint(ramp * inverse) + grid["zero"], grid["low"], grid["high"])
        assert (session.slot(index + 1) == codes).all(), spec["grids"][index]


def stored(count):
    """A ramp that is stored as codes of every grid."""
    size = {"h": 1, "w": 97, "c": 1}
    spec = empty_spec(count)
    spec["slots"] = [
        {**size, "type": type, "keep": False, "name": f"{type} {i}"}
        for i, type in enumerate(["f32", *["u8"] * count])
    ]
    steps = [{"do": "store_codes", "slot": i + 1, "grid": i} for i in range(count)]
    spec["programs"]["key"] = [spec["programs"]["key"][0] | size | {"steps": steps}]
    spec["outputs"] = {}
    return spec


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["median"], (1, 1, 1), []), "unknown feature 'median'"),
        ((["max"], (0, 1, 1), []), "a sample's steps must be 1 or more"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        _native.Predictions(*arguments)


def test_a_grid_that_the_plan_has_not_is_refused():
    source = PredictedGrid(
        Predictor("x", ("max",), ((0.0,), (1.0,)), (0.0, 0.0), (0.0, 0.0), (0.0, 9.0), (0.0, 1.0), 1.0),
        *(MinMax(), 8, False),
    )
    session = _native.Session(_native.Plan(empty_spec()), "", 1)
    with pytest.raises(IndexError):
        session.predict(Predictions((1, 1, 1, 1), ("max",), (1,), (source,)), np.ones((1, 1, 1), np.float32))
