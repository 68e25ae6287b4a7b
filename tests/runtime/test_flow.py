"""What operators read and store, and how long each tensor is needed."""

import pytest

from videoquant.network.preprocessing import Preprocessing
from videoquant.runtime.flow import Life, bytes_of, changed_by, live_bytes, lives, read_by, stored_by
from videoquant.runtime.plan import Plan
from videoquant.runtime.program import (
    CodeGrid,
    Combine,
    Function,
    MeasuredRange,
    Op,
    Program,
    ProgramOutput,
    Slot,
    Store,
    StoreCodes,
    StoreResidual,
)
from videoquant.schemes import Scheme

SLOTS = (
    Slot("image", 4, 4, 3),
    Slot("image:a8", 4, 4, 3, "u8"),
    Slot("a", 4, 4, 2),
    Slot("b", 4, 4, 2),
    Slot("a reference", 4, 4, 2, keep=True),
    Slot("a:a4", 4, 4, 2, "u8"),
)
FIRST = Op("map", "image", (0,), 4, 4, 3, (StoreCodes(1, 0),))
SECOND = Op("conv", "a", (1,), 4, 4, 2, (Function("sigmoid"), Store(2), StoreResidual(5, 0, 4, True)), 0)
THIRD = Op("conv", "b", (5,), 4, 4, 2, (Combine("add", slot=2), Combine("mul", value=2.0), Store(3)), 0)


@pytest.fixture
def plan():
    grid = CodeGrid("image:a8 key", 0.1, 0, 0, 255)
    program = Program((FIRST, SECOND, THIRD), (MeasuredRange(1, 0, 0, 8, False),))
    given, picture = {"b": ProgramOutput(3, (1, 2, 4, 4))}, Preprocessing()
    return Plan(
        "small", (1, 3, 4, 4), picture, Scheme(), SLOTS, (grid,), {"key": program}, given, (), {"b": "b"}
    )


def test_what_operators_read_and_store():
    assert (read_by(FIRST), stored_by(FIRST), changed_by(FIRST)) == ({0}, [1], {1})
    assert (read_by(SECOND), stored_by(SECOND), changed_by(SECOND)) == ({1, 4}, [2, 5], {2, 4, 5})
    assert (read_by(THIRD), stored_by(THIRD), changed_by(THIRD)) == ({5, 2}, [3], {3})


def test_how_long_each_tensor_is_needed(plan):
    found = {life.slot: life for life in lives(plan, "key")}
    assert found[0] == Life(0, -1, 0)  # a range update before operator 1 reads it when 0 is done
    assert found[1] == Life(1, 0, 1) and found[2] == Life(2, 1, 2) and found[5] == Life(5, 1, 2)
    assert found[3] == Life(3, 2, 3)  # an output outlives the program
    assert found[4].last == 3  # and so does state


def test_what_that_takes(plan):
    assert [bytes_of(slot) for slot in SLOTS] == [192, 64, 128, 128, 128, 64]
    assert live_bytes(plan, "key") == [192 + 64, 64 + 128 + 64 + 128, 128 + 64 + 128 + 128]
