"""What calibration frames do not show is not learnt from them, and is said in one warning."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import videoquant as vq
from tests.networks import small_network
from videoquant.errors import CalibrationWarning
from videoquant.ranges.sources import DynamicGrid, PredictedGrid, StaticGrid

RESIDUALS = ("w8a8->w4a4 T=3", "w8a8->w8a8 T=3", "w8a8->w4a4 T=3 recurrent", "w8a8->w4a4 T=3 minmax",
             "w8a8->w4a8 T=3 adaptive", "w8a8->w4a4 T=3 ds=1%", "w8a8->w4a4 T=3 float-reference",
             "w4a4->w4a4 T=3 head=2", "w8a8->w4a4 T=3 qpp", "w8a8->w4a4 T=3 recurrent qpp=3")  # fmt: skip


def scene(seed=0, size=32):
    return (
        np.random.default_rng(seed)
        .integers(0, 256, (size // 4, size // 4, 3))
        .astype(np.uint8)
        .repeat(4, 0)
        .repeat(4, 1)
    )


def film(count, seed=0):
    """A texture that moves to the right, two pixels a frame."""
    wide = np.concatenate([scene(seed + i) for i in range(1 + count // 16)] + [scene(seed)], 1)
    return [wide[:, 2 * t : 2 * t + 32] for t in range(count)]


def calibrated(network, scheme, frames):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quantized = vq.quantize(network, scheme, frames)
    return quantized, [str(w.message) for w in caught if w.category is CalibrationWarning]


def residual_noise(network, quantized, frames):
    """Of residual frames: the root of noise over signal, and the same for the keyframe's output repeated."""
    stream, noise, held, key = quantized.stream(), 0.0, 0.0, None
    for i, frame in enumerate(frames):
        wanted, got = network(frame)["map"], stream(frame)["map"]
        if i % 3 == 0:
            key = wanted
        else:
            noise += float((got - wanted).square().sum())
            held += float((key - wanted).square().sum())
    return noise, held


@pytest.fixture(scope="module")
def network():
    return small_network(size=32)


@pytest.mark.parametrize("scheme", RESIDUALS)
def test_a_still_clip_does_not_freeze_what_moves_later(network, scheme):
    """Nor does one that flickers by a level, as compressed films of still pictures do, nor one of noise."""
    still = [scene(i // 3) for i in range(48)]
    flicker = [s ^ np.uint8(t % 2) for t, s in enumerate(still)]
    random = np.random.default_rng(1)
    noisy = [(s + random.normal(0, 3, s.shape)).clip(0, 255).astype(np.uint8) for s in still]
    _, said = calibrated(network, scheme, film(60))
    assert not said
    for clip in (still, flicker, noisy):
        quantized, said = calibrated(network, scheme, clip)
        count = len(quantized.grids)
        assert len(said) == 1 and f"nothing moves at {count} of {count} quantizers" in said[0]
        noise, held = residual_noise(network, quantized, film(12, seed=5))
        assert noise < 0.63 * held  # 2 dB better than holding still


def test_the_range_of_frames_stands_in(network):
    still = [scene(i // 3) for i in range(24)]
    quantized, _ = calibrated(network, "w8a8->w4a4 T=3 mse", still)
    scheme, point = quantized.scheme, quantized.points["stem"]
    ranges = [
        scheme.estimator.measure(network.prepare(frame).numpy(), point.residual, True) for frame in still
    ]
    wanted = scheme.estimator.grid(tuple(np.mean(ranges, 0)), point.residual, True)
    residual = quantized.grids[point].residual
    assert isinstance(residual, StaticGrid)
    assert residual.fixed.scale == pytest.approx(wanted.scale, rel=1e-6)


def test_still_cycles_do_not_count_beside_those_that_move(network):
    moving, still = film(3), [scene(7)] * 3
    alone, _ = calibrated(network, "fp32->w4a4 T=3 always-residual", moving)
    among, said = calibrated(network, "fp32->w4a4 T=3 always-residual", moving + still * 5)
    assert not said
    point = alone.points["stem"]
    assert among.grids[point].residual == alone.grids[point].residual


def test_predictors_of_one_picture_are_static(network):
    quantized, said = calibrated(network, "w8a4 qpp", [scene()] * 20)
    assert not any(isinstance(pair.key, PredictedGrid) for pair in quantized.grids.values())
    assert len(said) == 1 and "too few frames differ at" in said[0]
    static, _ = calibrated(network, "w8a4", [scene()] * 20)
    assert quantized.grids == static.grids


@pytest.mark.parametrize("scheme", ["w8a8", "w8a4 qpp", "w8a8->w4a4 T=3", "w4a4 ds=1%"])
def test_black_frames_leave_ranges_to_run_time(network, scheme):
    quantized, said = calibrated(network, scheme, [np.zeros((32, 32, 3), np.uint8)] * 48)
    assert len(said) == 1 and "every frame is of one colour" in said[0]
    assert all(isinstance(pair.key, DynamicGrid) for pair in quantized.grids.values())
    frame = scene()
    wanted, got = network(frame)["map"], quantized(frame)["map"]
    assert float((got - wanted).square().sum()) < 0.2 * float(wanted.square().sum())


class Dead(nn.Module):
    """The second layer reads what is zero unless a frame is bright."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)
        with torch.no_grad():
            self.a.weight.fill_(100.0)
            self.a.bias.fill_(-150.0)

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))


def test_a_value_that_is_zero_in_every_frame_is_measured_at_run_time():
    network = vq.capture(Dead(), torch.rand(1, 3, 8, 8))
    dark = [torch.rand(1, 3, 8, 8) * 0.4 for _ in range(8)]
    quantized, said = calibrated(network, "w8a8 head=fp", dark)
    assert len(said) == 1 and "1 of 1 quantizers ('relu') are always zero" in said[0]
    bright = torch.rand(1, 3, 8, 8) * 0.3 + 0.7
    calibrated_there, _ = calibrated(network, "w8a8 head=fp", [*dark, bright])
    assert isinstance(calibrated_there.grids[calibrated_there.points["b"]].key, StaticGrid)
    tensors = network.run(bright), quantized.stream().run(bright)
    wanted, got = (next(iter(outputs.values())) for outputs in tensors)
    assert float((got - wanted).square().sum()) < 0.1 * float(wanted.square().sum())
