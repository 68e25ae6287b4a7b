"""ACIQ's analytic clips against the published ones."""

import pytest
import torch

from videoquant.quantizers.aciq_clip import gaussian_clip, laplace_clip
from videoquant.ranges.estimators import ACIQ


@pytest.mark.parametrize(("bits", "clip"), [(2, 2.83), (3, 3.89), (4, 5.03)])
def test_laplace_clips_are_the_published_ones(bits, clip):
    assert laplace_clip(bits) == pytest.approx(clip, abs=0.01)  # ACIQ, Banner et al. 2019, section 3.1


@pytest.mark.parametrize(("bits", "clip"), [(2, 1.71), (3, 2.15), (4, 2.55)])
def test_gaussian_clips_are_the_published_ones(bits, clip):
    assert gaussian_clip(bits) == pytest.approx(clip, abs=0.01)  # ibid.


def test_aciq_picks_the_prior_that_fits():
    torch.manual_seed(0)
    gaussian, laplace = torch.randn(200_000), torch.distributions.Laplace(0.0, 1.0).sample((200_000,))
    assert ACIQ().measure(gaussian.numpy(), 4, True)[1] == pytest.approx(gaussian_clip(4), rel=0.02)
    assert ACIQ().measure(laplace.numpy(), 4, True)[1] == pytest.approx(laplace_clip(4), rel=0.02)
    assert ACIQ().measure(laplace.relu().numpy(), 4, False)[1] == pytest.approx(laplace_clip(5), rel=0.02)


def test_aciq_clips_around_the_mean():
    x = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    low, high = ACIQ().measure((x - 0.5).numpy(), 2, False)
    assert (low, high) == pytest.approx((-0.5 - gaussian_clip(2), -0.5 + gaussian_clip(2)), rel=0.02)
    low, high = ACIQ().measure(torch.cat([x + 5, torch.tensor([-0.1])]).numpy(), 2, False)
    assert high == pytest.approx(5 + gaussian_clip(2), rel=0.01)
    assert low == 0  # a range holds zero
