"""The plain form of a plan's parts: complete, plain, and read back to the same."""

import json

import numpy as np
import pytest

import videoquant as vq
from videoquant.runtime.plan_spec import plain, read_program
from videoquant.runtime.program import (
    Combine,
    Function,
    GridPrediction,
    MeasuredRange,
    Op,
    PredictedRanges,
    Program,
    Store,
    StoreCodes,
    StoreResidual,
    StoreValues,
)

END = ((0.5, -1.0), 0.25, 0.0, 9.0)
STEPS = (
    Function("clamp", {"lo": 0.0, "hi": 6.0}),
    Function("tanh"),
    Combine("add", slot=3),
    Combine("rsub", value=0.5),
    Store(1),
    StoreCodes(2, 0),
    StoreCodes(2, 0, sparse=4),
    StoreValues(1, 0, with_sparse=True),
    StoreResidual(2, 0, 3, update=False),
    StoreResidual(2, 0, 3, update=True, sparse=4),
)
UPDATES = (
    MeasuredRange(0, 1, 0, 8, symmetric=True),
    PredictedRanges(
        *(1, 1, "relu", ("mean", "max"), (2, 1, 1)),
        (GridPrediction(0, 8, symmetric=False, dense=True, low=END, high=END),),
        remember=False,
    ),
)


def program():
    weight = np.arange(6, dtype=np.int8).reshape(2, 3, 1, 1)
    conv = Op("conv", "first", (0,), 4, 5, 2, STEPS, 0, None, {"stride": [1, 1]}, {"weight": weight})
    return Program((conv, Op("map", "second", (1,), 4, 5, 2)), UPDATES)


def test_a_program_is_read_back_to_the_same():
    made, read = program(), read_program(plain(program()), "key")
    assert read.updates == made.updates
    for a, b in zip(made.ops, read.ops, strict=True):
        assert (a.kind, a.name, a.inputs, a.h, a.w, a.c) == (b.kind, b.name, b.inputs, b.h, b.w, b.c)
        assert (a.grid, a.sparse, a.attrs) == (b.grid, b.sparse, b.attrs)
        assert a.tensors.keys() == b.tensors.keys()
        assert all(np.array_equal(a.tensors[name], b.tensors[name]) for name in a.tensors)
        assert [vars(step) for step in a.steps] == [vars(step) for step in b.steps]
        assert [type(step) for step in a.steps] == [type(step) for step in b.steps]


def test_it_is_plain_but_for_arrays():
    form = plain(program())
    weight = form["ops"][0]["tensors"].pop("weight")
    assert isinstance(weight, np.ndarray)
    assert json.loads(json.dumps(form)) == form


def test_kinds_say_their_name_and_what_is_none_is_left_out():
    steps = plain(program())["ops"][0]["steps"]
    assert steps[0] == {"do": "clamp", "lo": 0.0, "hi": 6.0}
    assert steps[2] == {"do": "add", "slot": 3} and steps[3] == {"do": "rsub", "value": 0.5}
    assert steps[5] == {"do": "store_codes", "slot": 2, "grid": 0}
    measured, predicted = plain(UPDATES)
    assert measured.keys() == {"before_op", "slot", "measure"} and measured["measure"]["grid"] == 0
    assert predicted["predict"]["grids"][0]["low"] == [[0.5, -1.0], 0.25, 0.0, 9.0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "key is .*named values"),
        ({"ops": []}, "lacks 'updates'"),
        ({"ops": [3], "updates": []}, "operator 0"),
        ({"ops": [], "updates": [[]]}, "range update 0"),
        ({"ops": [], "updates": [{"measure": 1, "before_op": 0, "slot": 0}]}, "range update 0"),
    ],
)
def test_what_is_no_program_is_refused(data, message):
    with pytest.raises(vq.NetworkError, match=message):
        read_program(data, "key")
