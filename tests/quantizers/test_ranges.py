"""Range estimators against plain definitions and published values."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.errors import SchemeError
from videoquant.quantizers.grid import Grid
from videoquant.quantizers.ranges import (
    ACIQ,
    BINS,
    MSE,
    MinMax,
    Quantile,
    Threshold,
    _histogram,
    gaussian_clip,
    laplace_clip,
    upper_quantile,
)

ESTIMATORS = [MinMax(), Quantile(0.99), MSE(), ACIQ()]
tensors = st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=200).map(torch.tensor)


@given(tensors, st.sampled_from(ESTIMATORS), st.integers(2, 8), st.booleans())
def test_a_range_holds_zero_and_stays_within_the_extremes(x, estimator, bits, symmetric):
    a, b = estimator.measure(x, bits, symmetric)
    largest = float(x.abs().max()) * (1 + 1e-5)
    assert -largest <= a <= 0 <= b <= largest
    if symmetric:
        assert a == -b
    if float(x.min()) >= 0 and not symmetric:
        assert a == 0


@given(tensors, st.floats(0.51, 1))
def test_quantile_equals_torch(x, alpha):
    expected = float(torch.quantile(x.double(), alpha))
    assert upper_quantile(x.numpy(), alpha) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("alpha", [0.51, 0.9, 0.99, 0.9997, 0.999999, 1.0])
@pytest.mark.parametrize("kind", ["random", "rising", "falling", "one channel", "mostly zero", "clustered"])
def test_quantile_of_a_large_array_is_exact(kind, alpha):
    count = 300_007
    values = np.random.default_rng(0).laplace(size=count).astype(np.float32)
    if kind in ("rising", "falling"):
        values = np.sort(values)[:: 1 if kind == "rising" else -1]
    elif kind == "one channel":  # the only large one of 64, which an even step could miss or only meet
        values[np.arange(count) % 64 != 3] *= 1e-3
    elif kind == "mostly zero":
        values[: count - 50] = 0
    elif kind == "clustered":
        values[1000:1400] += 100
    values = np.ascontiguousarray(values)
    rank = alpha * (count - 1)
    order = np.sort(values).astype(np.float64)
    low, high = order[math.floor(rank)], order[min(math.floor(rank) + 1, count - 1)]
    assert upper_quantile(values, alpha) == low + (high - low) * (rank - math.floor(rank))


@pytest.mark.parametrize("estimator", [MinMax(), Quantile(0.99), MSE(), ACIQ(), Threshold(0.02)])
def test_the_memory_layout_changes_nothing(estimator):
    x = torch.randn(1, 24, 90, 100, generator=torch.Generator().manual_seed(0))
    last = x.contiguous(memory_format=torch.channels_last)
    assert estimator.measure(x, 4, False) == pytest.approx(estimator.measure(last, 4, False), rel=1e-6)


def test_quantile_of_a_signed_tensor_cuts_both_ends():
    x = torch.linspace(-1, 1, 2001)
    assert Quantile(0.9).measure(x, 4, False) == pytest.approx((-0.8, 0.8), abs=1e-6)
    assert Quantile(0.9).measure(x, 4, True) == pytest.approx((-0.9, 0.9), abs=1e-3)


@given(st.integers(0, 10**6), st.floats(0.001, 0.5), st.booleans())
def test_the_share_above_the_threshold_is_the_density(seed, density, symmetric):
    x = torch.randn(5000, generator=torch.Generator().manual_seed(seed))
    x = x if symmetric else x.abs()
    low, high = Threshold(density).measure(x, 4, symmetric)
    assert low == (-high if symmetric else 0)
    assert float((x.abs() > high).float().mean()) == pytest.approx(density, abs=1 / 5000 + 1e-9)


def test_minmax_is_the_extremes():
    assert MinMax().measure(torch.tensor([-1.0, 3.0]), 8, False) == (-1, 3)
    assert MinMax().measure(torch.tensor([1.0, 3.0]), 8, False) == (0, 3)
    assert MinMax().measure(torch.tensor([-4.0, 3.0]), 8, True) == (-4, 4)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("shape", ["relu", "signed", "hardswish", "residual"])
def test_mse_is_as_good_as_an_exhaustive_search(bits, shape):
    torch.manual_seed(bits)
    x = torch.distributions.Laplace(0.0, 1.0).sample((50_000,))
    symmetric = shape == "residual"
    x = {"relu": torch.relu, "hardswish": torch.nn.functional.hardswish}.get(shape, torch.clone)(2 * x)

    def error(limits):
        grid = Grid.symmetric(limits[1], bits) if symmetric else Grid.affine(*limits, bits)
        return float((grid.fake_quantize(x) - x).square().mean())

    largest = float(x.abs().max())
    clips = [largest * i / 200 for i in range(1, 201)]
    lows = {"relu": [0.0], "hardswish": [float(x.min()), 0.0]}.get(shape)
    best = min(error((low, c)) for c in clips for low in (lows or [-c]))
    assert error(MSE().measure(x, bits, symmetric)) <= best * 1.02


@pytest.mark.parametrize(("bits", "clip"), [(2, 2.83), (3, 3.89), (4, 5.03)])
def test_laplace_clips_are_the_published_ones(bits, clip):
    assert laplace_clip(bits) == pytest.approx(clip, abs=0.01)  # ACIQ, Banner et al. 2019, section 3.1


@pytest.mark.parametrize(("bits", "clip"), [(2, 1.71), (3, 2.15), (4, 2.55)])
def test_gaussian_clips_are_the_published_ones(bits, clip):
    assert gaussian_clip(bits) == pytest.approx(clip, abs=0.01)  # ibid.


def test_aciq_picks_the_prior_that_fits():
    torch.manual_seed(0)
    gaussian, laplace = torch.randn(200_000), torch.distributions.Laplace(0.0, 1.0).sample((200_000,))
    assert ACIQ().measure(gaussian, 4, True)[1] == pytest.approx(gaussian_clip(4), rel=0.02)
    assert ACIQ().measure(laplace, 4, True)[1] == pytest.approx(laplace_clip(4), rel=0.02)
    assert ACIQ().measure(laplace.relu(), 4, False)[1] == pytest.approx(laplace_clip(5), rel=0.02)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("x", [torch.zeros(10), torch.ones(10), -torch.ones(10), torch.ones(1)])
def test_constant_tensors_give_finite_ranges(estimator, x):
    for symmetric in (False, True):
        a, b = estimator.measure(x, 4, symmetric)
        assert a <= 0 <= b and torch.isfinite(torch.tensor([a, b])).all()


@pytest.mark.parametrize("alpha", [0.5, 1.01, 0.0, float("nan")])
def test_alpha_out_of_range_is_refused(alpha):
    with pytest.raises(SchemeError, match="α must be above"):
        Quantile(alpha)


@pytest.mark.parametrize("channels", [24, 48, 96])
def test_the_search_sees_every_channel_of_a_large_tensor(channels):
    # One channel alone holds the large values; sampling that skips it would clip them away.
    x = torch.rand(1, channels, 160, 300)
    for loud in (0, 1, channels // 2, channels - 1):
        y = x.clone()
        y[:, loud] *= 10
        assert MSE().measure(y, 8, False)[1] > 9


@pytest.mark.parametrize("channels", [1, 3])
def test_bins_stand_for_their_middles(channels):
    middles = -1 + (torch.arange(BINS) + 0.5) * (3 / BINS)
    x = middles.repeat_interleave(channels).reshape(1, channels, BINS, 1)
    centres, counts = _histogram(x, -1.0, 2.0)
    assert centres.numpy() == pytest.approx(middles.numpy(), abs=1e-6)
    assert counts.tolist() == [channels] * BINS


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("bits", [2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(3))
def test_both_ends_of_a_two_sided_range_are_refined(seed, bits, sign):
    """Neither end can be moved alone for a better range."""
    generator = torch.Generator().manual_seed(seed)
    x = sign * torch.cat([-torch.empty(20_000).exponential_(1.0, generator=generator), torch.rand(2_000)])
    a, b = MSE().measure(x, bits, False)

    def error(low, high):
        return float((Grid.affine(low, high, bits).fake_quantize(x) - x).square().mean())

    shares = [i / 400 for i in range(1, 401)]
    best_low = min(error(float(x.min()) * share, b) for share in shares)
    best_high = min(error(a, float(x.max()) * share) for share in shares)
    assert error(a, b) <= 1.01 * min(best_low, best_high)


def test_aciq_clips_around_the_mean():
    x = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    low, high = ACIQ().measure(x - 0.5, 2, False)
    assert (low, high) == pytest.approx((-0.5 - gaussian_clip(2), -0.5 + gaussian_clip(2)), rel=0.02)
    low, high = ACIQ().measure(torch.cat([x + 5, torch.tensor([-0.1])]), 2, False)
    assert high == pytest.approx(5 + gaussian_clip(2), rel=0.01)
    assert low == 0  # a range holds zero
