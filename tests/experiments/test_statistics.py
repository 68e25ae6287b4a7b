"""What the experiments conclude from their numbers."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))
from common import STRETCH, difference, even, halved, miou, miou_interval, resampled, verdict
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


def tallies(shares: np.ndarray, pixels: int = 1000) -> np.ndarray:
    """Two classes of which each frame gets a share right: frames×2×2."""
    both = np.stack([shares * pixels, shares * pixels], 1).astype(int)
    return np.stack([both, np.full_like(both, pixels)], 1)


def test_miou_is_pooled_over_frames_and_leaves_out_classes_that_never_occur():
    #           frames × (intersection, union) × classes
    counts = np.array([[[1, 0, 0], [2, 4, 0]], [[3, 4, 0], [6, 4, 0]]])
    assert miou(counts) == pytest.approx((4 / 8 + 4 / 8) / 2)


def test_every_sample_has_as_many_frames_in_stretches():
    counts = resampled(101, 50)
    assert counts.shape == (50, 101) and (counts.sum(1) == 101).all()
    assert len(np.unique(counts, axis=0)) == 50
    starts = (np.diff(np.concatenate([counts, counts[:, :1]], 1)) != 0).sum(1)
    assert (starts <= 2 * -(-101 // STRETCH)).all()
    assert (resampled(5, 3).sum(1) == 5).all()  # so short that frames are drawn one by one
    assert len(np.unique(resampled(5, 200), axis=0)) > 20


def test_the_interval_of_a_miou_is_that_of_its_frames():
    shares = np.random.default_rng(0).uniform(0.3, 0.7, 600)
    value, low, high = miou_interval(tallies(shares))
    assert value == pytest.approx(shares.mean(), abs=1e-3)
    assert (high - low) / 2 == pytest.approx(1.96 * shares.std() / 600**0.5, rel=0.15)


def test_frames_that_are_alike_widen_it():
    shares = np.repeat(np.random.default_rng(0).uniform(0.3, 0.7, 50), STRETCH)
    _, low, high = miou_interval(tallies(shares))
    assert high - low > 2 * 2 * 1.96 * shares.std() / 600**0.5


def test_a_difference_is_of_the_same_frames():
    shares = np.random.default_rng(0).uniform(0.3, 0.7, 300)
    value, low, high = miou_interval(tallies(shares + 0.1), tallies(shares))
    assert low == pytest.approx(0.1, abs=2e-3) and high == pytest.approx(0.1, abs=2e-3)
    assert low <= value <= high


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.1, 1, "confirmed"), (-1, -0.1, "reversed"), (-1, 1, "not confirmed")]
)
def test_a_verdict_is_beyond_the_interval(low, high, word):
    assert verdict(low, high) == word
