"""How far outputs are from floating point, as choices weigh it."""

import math

import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.calibration.output_error import (
    FEW,
    by_channel,
    channel_errors,
    exact_runs,
    gain,
)

MANY = 10**6


def quantized():
    return vq.quantize(small_network(), "w8a8", moving_frames(6))


def test_errors_are_those_of_the_outputs():
    runs = [[x] for x in moving_frames(3, seed=1)]
    network, exact = quantized(), exact_runs(small_network(), runs)
    errors = channel_errors(network, exact)
    for name in ("map", "scores"):
        noise = [network.stream().run(x)[name] - y[name] for (x,), y in exact]
        summed = sum(float(e.double().square().sum()) for e in noise)
        assert float(errors[name][0].sum()) == pytest.approx(summed)
        assert errors[name][1] == sum(e.numel() for e in noise)


@pytest.mark.parametrize(
    ("shape", "channels"), [((1, 3, 5, 7), 3), ((1, 22, 2100), 22), ((1, 2100, 22), 22), ((1, 1000), 1)]
)
def test_channels_are_the_smaller_of_two_dimensions(shape, channels):
    x = torch.arange(math.prod(shape)).view(shape)
    assert by_channel(x).shape == (channels, x.numel() // channels)
    if x.dim() == 3:
        first = x[0, :, 0] if shape[2] < shape[1] else x[0, 0]
        assert torch.equal(by_channel(x)[0], first)


def errors(**values):
    return {
        name: (torch.tensor(found, dtype=torch.float64), count) for name, (found, count) in values.items()
    }


def test_every_output_and_channel_counts_alike_however_large():
    before = errors(boxes=([1e6, 1e6], MANY), scores=([1e-6], MANY))
    assert gain(before, before) == 0
    # Half the error of one of two channels of one of two outputs.
    after = errors(boxes=([5e5, 1e6], MANY), scores=([1e-6], MANY))
    assert gain(after, before) == pytest.approx(10 * math.log10(2) / 4, rel=1e-3)
    after = errors(boxes=([1e6, 1e6], MANY), scores=([1e-7], MANY))
    assert gain(after, before) == pytest.approx(5, rel=1e-3)


def test_a_few_numbers_say_little():
    before = errors(map=([1.0], MANY), presence=([1.0], 8))
    after = errors(map=([1.0], MANY), presence=([0.01], 8))
    assert gain(after, before) == pytest.approx(20 * 8 / (8 + FEW), rel=0.2)


def test_no_error_is_a_number_too():
    none = errors(map=([0.0], MANY))
    assert gain(none, none) == 0
    assert gain(none, errors(map=([1.0], MANY))) > 100
