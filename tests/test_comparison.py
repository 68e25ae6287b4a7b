"""Reducing a stream to rows: what the command tests cannot reach."""

import numpy as np
import pytest
import torch

import videoquant as vq
from tests.networks import small_network
from videoquant.comparison import EXACT_DB, Sqnr, decibels
from videoquant.data.video import Frame


def frames(count):
    random = np.random.default_rng(0)
    return [Frame(random.integers(0, 256, (16, 16, 3), dtype=np.uint8), i) for i in range(count)]


def test_density_of_what_is_and_is_not_quantized():
    network, stream = small_network(), frames(6)
    texts = ("fp32 ds=1%", "w8a32 ds=1%", "w8a4 ds=3% head=fp")
    rows = vq.compare(network, [vq.quantize(network, text, stream) for text in texts], stream).rows
    assert rows[0].density == {} and rows[0].sqnr_db == EXACT_DB
    assert rows[1].density == {"requested": 0.01, "mean": 0, "p10": 0, "p90": 0}
    assert 0 < rows[2].density["p10"] <= rows[2].density["mean"] <= rows[2].density["p90"]


def test_no_frames_are_refused():
    network = small_network()
    with pytest.raises(vq.DataError, match="no frames to score"):
        vq.compare(network, [vq.quantize(network, "fp32", [])], [])


def test_sqnr_pools_signal_and_noise():
    meter = Sqnr()
    assert meter.update(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 3.0])) == pytest.approx(13.979, abs=1e-3)
    assert meter.update(torch.tensor([5.0]), torch.tensor([5.0])) == EXACT_DB
    assert meter.result() == pytest.approx(16.990, abs=1e-3)  # 10·log10(50 / 1)


@pytest.mark.parametrize(
    ("signal", "noise", "expected"),
    [
        (1, 0, EXACT_DB),
        (0, 0, EXACT_DB),
        (0, 1, -EXACT_DB),
        (1, float("nan"), -EXACT_DB),
        (1, float("inf"), -EXACT_DB),
    ],
)
def test_decibels_are_always_finite(signal, noise, expected):
    assert decibels(signal, noise) == expected
