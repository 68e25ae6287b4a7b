"""SQNR: pooled over tensors, and never NaN."""

import pytest
import torch

from videoquant.tasks.sqnr import EXACT_DB, Sqnr, decibels


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
        (1, 1e20, -EXACT_DB),
        (1e20, 1, EXACT_DB),
    ],
)
def test_decibels_are_always_finite(signal, noise, expected):
    assert decibels(signal, noise) == expected
