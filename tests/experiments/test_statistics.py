"""What the experiments conclude from their numbers."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))
from common import difference, even, halved
from qpp_tables import PREDICTED, gap


def rows(static, dynamic, qpp):
    scores = {"static": static} | dict.fromkeys(("dynamic", *PREDICTED), dynamic) | {"qpp": qpp}
    return {name: {"inputs": {"top1": list(values)}} for name, values in scores.items()}


def test_the_interval_of_a_difference_holds_it():
    noise = np.random.default_rng(0).normal(size=200)
    mean, low, high = difference(noise + 0.5, np.zeros(200))
    assert low < mean < high and mean == pytest.approx(noise.mean() + 0.5)
    assert (high - low) / 2 == pytest.approx(1.96 * noise.std() / 200**0.5, rel=0.1)


def test_the_share_of_the_gap_is_given_only_beyond_the_noise():
    static = np.random.default_rng(1).normal(size=100)
    found = gap(rows(static, static + 1, static + 0.8), "top1")
    assert found["beyond_noise"] and found["qpp share"] == pytest.approx(0.8)
    assert found["qpp auto:4 share"] == pytest.approx(1) and not found["qpp worse than static"]
    noise = np.random.default_rng(2).normal(size=100)
    found = gap(rows(static, static + noise, static - 1), "top1")
    assert not found["beyond_noise"] and found["qpp share"] is None and found["qpp worse than static"]


def test_pictures_are_halved_to_the_pixel():
    pixels = np.zeros((7, 9, 3), np.uint8)
    assert even(pixels).shape == (6, 8, 3)
    assert halved(even(pixels)).shape == (1, 3, 3, 4)
