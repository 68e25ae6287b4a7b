"""Native features and grids are those that the simulation takes and predicts one by one, to the last bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.plan_interpreter import Interpreter
from videoquant import _native
from videoquant.ranges.features import PAPER_FEATURES, POOL, features, sample_steps
from videoquant.runtime.sizes import channels_last


def end(slopes, intercept=0.0, least=0.0, most=1e30):
    return [list(slopes), intercept, least, most]


def spec_of(shape, names, updates, programs=("key",)):
    """Programs that give, of the grids of their updates, the scales: one value of each grid's first step."""
    count = max((g["grid"] for u in updates.values() for g in u["predict"]["grids"]), default=0) + 1
    h, w, c = channels_last(np.zeros(shape, np.float32)).shape
    one = {"h": 1, "w": 1, "c": 1}
    slots = [{"h": h, "w": w, "c": c, "type": "f32", "keep": False, "name": "x"}]
    slots += [{**one, "type": "f32", "keep": True, "name": f"grid {i}"} for i in range(count)]
    # 1e30 becomes the last code, and with 2 symmetric bits that is one step.
    op = {"kind": "constant", "name": "large", "inputs": [], "attrs": {}, **one}
    op["tensors"] = {"value": np.full((1, 1, 1), 1e30, np.float32)}
    op["steps"] = [{"do": "store_values", "slot": i + 1, "grid": i} for i in range(count)]
    grid = {"scale": 1.0, "zero": 128, "low": 127, "high": 129, "name": "g"}
    made = {name: {"ops": [op], "updates": [updates[name]] if name in updates else []} for name in programs}
    return {"version": 3, "slots": slots, "grids": [grid] * count, "programs": made, "outputs": {}}


def prediction(shape, names, grids, remember=False):
    predict = {"value": "x", "features": list(names), "steps": list(sample_steps(shape)), "grids": grids}
    return {"before_op": 0, "slot": 0, "predict": {**predict, "remember": remember}}


def native_features(x, names, isa="", threads=1, reference=None):
    """The features that the native engine finds, as float32: each the scale of a grid, or its negative's."""
    grids = []
    for i in range(len(names)):
        for side, sign in enumerate((1.0, -1.0)):
            slopes = [sign * (j == i) for j in range(len(names))]
            ends = {"low": end([0.0] * len(names), most=0.0), "high": end(slopes)}
            grids.append({"grid": 2 * i + side, "bits": 2, "symmetric": True, "dense": False, **ends})
    update = prediction(x.shape, names, grids)
    if reference is None:
        spec = spec_of(x.shape, names, {"key": update})
    else:
        first = prediction(x.shape, (), [], remember=True)
        spec = spec_of(x.shape, names, {"key": first, "residual": update}, ("key", "residual"))
    session = _native.Session(_native.Plan(spec), isa, threads)
    if reference is not None:
        session.run("key", channels_last(reference.numpy()))
    session.run("key" if reference is None else "residual", channels_last(x.numpy()))
    scales = [float(session.slot(i + 1)[0, 0, 0]) for i in range(2 * len(names))]
    smallest = float(np.float32(1e-30))  # of scales: what is not above zero on this side
    return [
        a if a > smallest else -b if b > smallest else 0.0
        for a, b in zip(scales[::2], scales[1::2], strict=True)
    ]


def as_float32(found):
    return [float(np.float32(x)) for x in found]


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
    st.sampled_from([(1, 3, 7, 5), (1, 64, 40, 38), (1, 8, 1, 1), (1, 40), (1, 60000), (1, 5, 200, 310)]),
    st.sets(st.sampled_from(POOL), min_size=1),
    st.sampled_from(_native.isas()),
)
def test_features_are_the_simulations(seed, kind, shape, names, isa):
    x = values(kind, shape, torch.Generator().manual_seed(seed))
    names = sorted(names)
    assert native_features(x, names, isa, threads=1 + seed % 2) == as_float32(features(x.numpy(), names))


def test_features_of_a_residual_are_those_of_its_magnitude():
    x, before = torch.randn(2, 1, 16, 90, 90)
    assert native_features(x, POOL, reference=before) == as_float32(
        features((x - before).abs().numpy(), POOL)
    )


def test_values_that_are_no_numbers_do_no_harm():
    x = torch.randn(1, 64, 40, 38)
    x[0, ::3] = np.nan
    x[0, 1] = np.inf
    with pytest.raises(ValueError, match="a grid's scale must be positive and finite"):
        native_features(x, POOL)


@given(
    st.integers(0, 2**32),
    st.integers(1, 9),
    st.sets(st.sampled_from(PAPER_FEATURES), min_size=1),
    st.booleans(),
)
@settings(deadline=None)
def test_all_grids_at_once_are_those_one_by_one(seed, count, names, dense):
    random = np.random.default_rng(seed)
    names = tuple(sorted(names))
    grids = []
    for index in range(count):
        symmetric, ends = bool(random.integers(2)), np.sort(random.normal(size=(2, 2)), 1).tolist()
        ends[0] = [min(end, 0.0) for end in ends[0]]
        ends[1] = [max(end, 1e-3) for end in ends[1]]
        slopes, intercepts = random.normal(size=(2, len(names))).tolist(), random.normal(size=2).tolist()
        low, high = (end(slopes[i], intercepts[i], *ends[i]) for i in (0, 1))
        shape = {"grid": index, "bits": int(random.integers(2, 9)), "symmetric": symmetric, "dense": dense}
        grids.append({**shape, "low": low, "high": high})
    x = random.normal(size=(1, 97, 1)).astype(np.float32)
    spec = stored(count, prediction((1, 1, 1, 97), names, grids))
    twin, session = Interpreter.of(spec), _native.Session(_native.Plan(spec), "", 1)
    twin.run("key", x)
    session.run("key", x)
    for index in range(count):
        assert (session.slot(index + 1) == twin.slot(index + 1)).all(), twin.grids[index]


def stored(count, update):
    """The input is stored as codes of every grid that an update predicts."""
    size = {"h": 1, "w": 97, "c": 1}
    types = ["f32", *["u8"] * count]
    slots = [{**size, "type": type, "keep": False, "name": f"{type} {i}"} for i, type in enumerate(types)]
    steps = [{"do": "store_codes", "slot": i + 1, "grid": i} for i in range(count)]
    op = {"kind": "map", "name": "x", "inputs": [0], "attrs": {}, "tensors": {}, "steps": steps, **size}
    grid = {"scale": 1.0, "zero": 0, "low": 0, "high": 255, "name": "g"}
    programs = {"key": {"ops": [op], "updates": [update]}}
    return {"version": 3, "slots": slots, "grids": [grid] * count, "programs": programs, "outputs": {}}


GRID = {"grid": 0, "bits": 8, "symmetric": False, "dense": False}
ENDS = {"low": end([0.0], least=-1.0, most=0.0), "high": end([1.0], most=9.0)}
MEASURE = {"before_op": 0, "slot": 0, "measure": {"grid": 0}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": ["median"]}, "unknown feature 'median'"),
        ({"steps": [0, 1, 1]}, "'steps' has the impossible value 0"),
        ({"grids": [{**GRID, **ENDS, "grid": 1}]}, "'grid' is 1"),
        ({"grids": [{**GRID, **ENDS, "bits": 9}]}, "'bits' is 9"),
        ({"grids": [{**GRID, **ENDS, "high": end([1.0, 2.0])}]}, "needs one slope for each feature"),
        ({"grids": [{**GRID, **ENDS, "high": end([float("nan")])}]}, "holds no usable number"),
        ({"grids": [{**GRID, **ENDS, "high": end([1.0], least=2.0, most=1.0)}]}, "and less"),
        ({"grids": [{**GRID, **ENDS, "low": end([1.0], most=1.0)}]}, "must reach from zero or below"),
        ({"value": 3}, "'value' has the wrong type"),
    ],
)
def test_a_prediction_that_does_not_fit_is_refused(change, message):
    update = prediction((1, 1, 1, 97), ("max",), [{**GRID, **ENDS}])
    _native.Plan(stored(1, update))
    with pytest.raises(ValueError, match=message):
        _native.Plan(stored(1, {**update, "predict": update["predict"] | change}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"before_op": 2}, "its place"),
        ({"before_op": -1}, "'before_op' is -1"),
        ({"slot": 1}, "its slot holds no values"),
        ({"slot": 2}, "'slot' is 2"),
        ({"measure": {"grid": 1}}, "'grid' is 1"),
        ({"predict": {}}, "is neither 'measure' nor 'predict'"),
    ],
)
def test_an_update_that_does_not_fit_is_refused(change, message):
    _native.Plan(stored(1, MEASURE))
    with pytest.raises(ValueError, match=message):
        _native.Plan(stored(1, MEASURE | change))


def test_updates_come_in_order():
    spec = stored(1, MEASURE | {"before_op": 1})
    spec["programs"]["key"]["updates"].append(MEASURE)
    with pytest.raises(ValueError, match="key update 1: its place"):
        _native.Plan(spec)


def test_a_residual_is_compared_with_what_a_keyframe_remembers():
    shape = (1, 1, 1, 97)
    spec = stored(1, prediction(shape, ("max",), [], remember=True))
    later = prediction(shape, ("max",), [{**GRID, **ENDS}])
    spec["programs"]["residual"] = {**spec["programs"]["key"], "updates": [later]}
    _native.Plan(spec)
    spec["programs"]["key"]["updates"] = []
    with pytest.raises(ValueError, match="nothing to compare with"):
        _native.Plan(spec)


@pytest.mark.parametrize("mode", ["frame", "exact"])
def test_what_is_measured_is_asked_of_the_caller(mode):
    spec = stored(1, MEASURE)
    session = _native.Session(_native.Plan(spec), "", 1, mode)
    with pytest.raises(ValueError, match="measured by its caller"):
        session.run("key", np.zeros((1, 97, 1), np.float32))
    asked = []

    def measure(update, value):
        asked.append((update, value.copy()))
        return 0.5, 3, 0, 255

    for frame in range(5):
        x = np.full((1, 97, 1), frame, np.float32)
        session.run("key", x, measure)
        assert (session.slot(1) == 2 * frame + 3).all()
        assert asked[-1][0] == 0 and np.array_equal(asked[-1][1], x)
    for wrong in (None, (0.0, 3, 0, 255), (0.5, 300, 0, 255), (float("nan"), 0, 0, 1)):
        with pytest.raises((ValueError, RuntimeError, TypeError)):
            session.run("key", x, lambda update, value, wrong=wrong: wrong)


def test_what_a_measurement_raises_reaches_the_caller():
    session = _native.Session(_native.Plan(stored(1, MEASURE)), "", 2)

    def measure(update, value):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        session.run("key", np.zeros((1, 97, 1), np.float32), measure)
