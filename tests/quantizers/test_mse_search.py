"""The search for the least squared error against exhaustive ones."""

import pytest
import torch

from videoquant.quantizers.mse_search import BINS, histogram
from videoquant.quantizers.on_grid import fake_quantize
from videoquant.ranges.estimators import MSE
from videoquant.ranges.grid import Grid


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("shape", ["relu", "signed", "hardswish", "residual"])
def test_mse_is_as_good_as_an_exhaustive_search(bits, shape):
    torch.manual_seed(bits)
    x = torch.distributions.Laplace(0.0, 1.0).sample((50_000,))
    symmetric = shape == "residual"
    x = {"relu": torch.relu, "hardswish": torch.nn.functional.hardswish}.get(shape, torch.clone)(2 * x)

    def error(limits):
        grid = Grid.symmetric(limits[1], bits) if symmetric else Grid.affine(*limits, bits)
        return float((fake_quantize(x, grid) - x).square().mean())

    largest = float(x.abs().max())
    clips = [largest * i / 200 for i in range(1, 201)]
    lows = {"relu": [0.0], "hardswish": [float(x.min()), 0.0]}.get(shape)
    best = min(error((low, c)) for c in clips for low in (lows or [-c]))
    assert error(MSE().measure(x.numpy(), bits, symmetric)) <= best * 1.02


@pytest.mark.parametrize("channels", [24, 48, 96])
def test_the_search_sees_every_channel_of_a_large_tensor(channels):
    # One channel alone holds the large values; sampling that skips it would clip them away.
    x = torch.rand(1, channels, 160, 300)
    for loud in (0, 1, channels // 2, channels - 1):
        y = x.clone()
        y[:, loud] *= 10
        assert MSE().measure(y.numpy(), 8, False)[1] > 9


@pytest.mark.parametrize("channels", [1, 3])
def test_bins_stand_for_their_middles(channels):
    middles = -1 + (torch.arange(BINS) + 0.5) * (3 / BINS)
    x = middles.repeat_interleave(channels).reshape(1, channels, BINS, 1)
    centres, counts = histogram(x, -1.0, 2.0)
    assert centres.numpy() == pytest.approx(middles.numpy(), abs=1e-6)
    assert counts.tolist() == [channels] * BINS


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("bits", [2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(3))
def test_both_ends_of_a_two_sided_range_are_refined(seed, bits, sign):
    """Neither end can be moved alone for a better range."""
    generator = torch.Generator().manual_seed(seed)
    x = sign * torch.cat([-torch.empty(20_000).exponential_(1.0, generator=generator), torch.rand(2_000)])
    a, b = MSE().measure(x.numpy(), bits, False)

    def error(low, high):
        return float((fake_quantize(x, Grid.affine(low, high, bits)) - x).square().mean())

    shares = [i / 400 for i in range(1, 401)]
    best_low = min(error(float(x.min()) * share, b) for share in shares)
    best_high = min(error(a, float(x.max()) * share) for share in shares)
    assert error(a, b) <= 1.01 * min(best_low, best_high)
