"""The clip of residuals in which the frame has a vote."""

import pytest
import torch

from videoquant.quantizers.residual_clip import VOTE, residual_clip


def total_error(pairs, clip, bits):
    last = 2 ** (bits - 1) - 1

    def error(x):
        codes = (x / (clip / last)).round().clamp(-last, last)
        return float((codes * (clip / last) - x).double().square().sum())

    return sum(error(residual) + VOTE * error(frame) for residual, frame in pairs)


def drawn(size, seed):
    random = torch.Generator().manual_seed(seed)
    frame = torch.randn(1, 4, 20, 20, generator=random).relu()
    return size * torch.randn(1, 4, 20, 20, generator=random), frame


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("sizes", [(0.1, 0.1), (0.01, 1.0), (0.0, 0.5)])
def test_it_has_the_least_error_of_all_samples_together(bits, sizes):
    pairs = [drawn(size, i) for i, size in enumerate(sizes)]
    found = residual_clip(lambda: iter(pairs), bits)
    largest = max(float(x.abs().max()) for pair in pairs for x in pair)
    ladder = [largest * i / 300 for i in range(3, 301)]
    assert total_error(pairs, found, bits) <= 1.03 * min(total_error(pairs, c, bits) for c in ladder)


def test_where_nothing_moves_the_frame_decides():
    pairs = [(torch.zeros_like(frame), frame) for _, frame in (drawn(0, i) for i in range(3))]
    largest = max(float(frame.max()) for _, frame in pairs)
    assert 0.3 * largest < residual_clip(lambda: iter(pairs), 4) <= largest


def test_where_there_is_nothing_there_is_no_clip():
    assert residual_clip(lambda: iter([(torch.zeros(1, 3), torch.zeros(1, 3))]), 4) == 0
