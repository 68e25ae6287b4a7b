"""What others wrote as JSON becomes a value of ours, or is refused by its place."""

import json
import math
from dataclasses import asdict

import pytest

from videoquant.axes import Residual
from videoquant.errors import NetworkError
from videoquant.network.graph import Node
from videoquant.network.preprocessing import Preprocessing
from videoquant.ranges.grid import Grid
from videoquant.ranges.predictor import Predictor
from videoquant.typed_json import read

VALUES = [
    Grid(0.25, 3, 0, 15),
    Node("conv", "conv2d", ("x",), {"stride": [1, 2]}, ("weight",)),
    Preprocessing(mean=(0.5, 0.5, 0.5), task="pose"),
    Residual(adaptive=True, tolerance=2),
    Predictor("x", ("max",), ((0.5,), (1.0,)), (0.0, 1.0), (-1.0, 0.0), (0.0, 2.0), (-0.5, 1.0), 0.3),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_dataclasses_come_back(value):
    assert read(type(value), json.loads(json.dumps(asdict(value))), "file", NetworkError) == value


@pytest.mark.parametrize("wrong", [None, True, "1", 1.5, 2**31, 10**400, [1], {}])
def test_a_whole_number_is_one(wrong):
    with pytest.raises(NetworkError, match=r"^file: grid, zero_point is .*; it must be a whole number"):
        read(Grid, {"scale": 1.0, "zero_point": wrong, "low": 0, "high": 1}, "file: grid", NetworkError)


@pytest.mark.parametrize("wrong", [None, False, "1", math.nan, -math.inf, 10**400, [1.0]])
def test_a_number_is_finite(wrong):
    with pytest.raises(NetworkError, match=r"^file, scale is .*; it must be a"):
        read(Grid, {"scale": wrong, "zero_point": 0, "low": 0, "high": 1}, "file", NetworkError)


def test_fields_are_all_there_and_no_others():
    with pytest.raises(NetworkError, match=r"^file lacks 'high'$"):
        read(Grid, {"scale": 1.0, "zero_point": 0, "low": 0}, "file", NetworkError)
    with pytest.raises(NetworkError, match=r'^file has "more", which is unknown; known are scale'):
        read(Grid, {**asdict(VALUES[0]), "more": 1}, "file", NetworkError)
    with pytest.raises(NetworkError, match="it must be an object of named values"):
        read(Grid, [1.0, 0, 0, 1], "file", NetworkError)


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        (tuple[int, int], [1, 2, 3], "a list of 2"),
        (tuple[float, ...], {"a": 1}, "a list"),
        (dict[str, int], [], "an object of named values"),
        (tuple[str, ...], ["a", 1], "a text"),
        (bool, 1, "true or false"),
    ],
)
def test_shapes_of_lists(kind, data, words):
    with pytest.raises(NetworkError, match=f"it must be {words}$"):
        read(kind, data, "file", NetworkError)


def test_messages_are_short():
    with pytest.raises(NetworkError) as caught:
        read(int, "x\n" * 5000, "file", NetworkError)
    assert len(str(caught.value)) < 120 and "\n" not in str(caught.value)
