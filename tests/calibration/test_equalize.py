"""Channels before depthwise convolutions get one range: the same function, resolved alike."""

import pytest
import torch
from torch import nn

import videoquant as vq
from tests.engine.agreement import Agreement
from videoquant.calibration.equalize import LEAST, SHARES, channel_clips, equalized

SIZES = torch.tensor([1.0, 0.1, 0.02, 1e-5])


class Uneven(nn.Module):
    """A depthwise convolution behind channels of uneven size, three of which count alike; one is dead."""

    def __init__(self):
        super().__init__()
        self.first, self.depthwise = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 10, 3, groups=5)
        self.last = nn.Conv2d(10, 2, 1)
        with torch.no_grad():
            self.first.weight.mul_(torch.cat([SIZES, torch.zeros(1)]).view(-1, 1, 1, 1))
            self.first.bias.zero_()
            self.depthwise.weight[:6].div_(SIZES[:3].repeat_interleave(2).view(-1, 1, 1, 1))

    def forward(self, x):
        return self.last(torch.relu(self.depthwise(nn.functional.silu(self.first(x)))))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return vq.capture(Uneven().eval(), torch.rand(1, 3, 12, 12))


def inputs(count=4):
    return [torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(i)) for i in range(count)]


def test_it_is_the_same_function_with_channels_of_one_range(network):
    frames, bits = inputs(), {node.name: 8 for node in network.layers}
    equal = equalized(network, [frames], bits)
    (added,) = {node.name for node in equal.nodes} - {node.name for node in network.nodes}
    found = torch.zeros(5)

    def compute(node, read):
        y = equal.apply(node, read)
        if node.name == added:
            found.copy_(y.abs().amax((0, 2, 3)))
        return y

    with torch.no_grad():
        for x in frames[:1]:
            assert torch.allclose(equal.run(x, compute)["output"], network.run(x)["output"], atol=1e-5)
    assert (found[:3] > found[0] / 2).all() and (found[:3] < found[0] * 2).all()
    assert found[3] < 2 * found[0] * SIZES[3] / LEAST  # by no more than a codes' worth of the widest
    assert found[4] == 0
    assert equalized(network, [frames], {"first": 8, "last": 8}).nodes == network.nodes


def test_small_channels_keep_their_codes(network):
    frames, noise = inputs(), {}
    for text in ("w8a4 no-equalization", "w8a4"):
        stream = vq.quantize(network, f"{text} no-bias-correction", frames).stream()
        with torch.no_grad():
            noise[text] = sum(
                float((stream.run(x)["output"] - network.run(x)["output"]).square().sum())
                for x in inputs(6)[4:]
            )
    plain, equal = noise.values()
    assert equal < 0.25 * plain


@pytest.mark.parametrize("text", ["w8a4", "w8a8->w4a4 T=3"])
def test_saved_and_run_in_integers(network, tmp_path, text):
    frames = inputs(6)
    quantized = vq.quantize(network, text, frames)
    vq.save(quantized, tmp_path / "q.vq")
    read = vq.load_quantized(tmp_path / "q.vq")
    assert read.scheme == quantized.scheme and read.scheme.equalization
    agreement = Agreement(read)
    for x in frames:
        agreement.run(x)
    agreement.check()


@pytest.mark.parametrize("bits", [3, 8])
def test_a_channel_has_the_clip_of_least_error(bits):
    x = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(0)) ** 3
    x[:, 1] = x[:, 1].relu()
    x[:, 2] = 0
    for channel, found in enumerate(channel_clips(x, bits)):
        values = x[:, channel]

        def error(share, values=values):
            c = share * values.abs().max()
            low, high = values.min().clamp(-c, 0), values.max().clamp(0, c)
            scale = (high - low) / (2**bits - 1)
            return float((values - (values.clamp(low, high) / scale).round() * scale).square().sum())

        wanted = 0.0 if channel == 2 else min(SHARES, key=error) * float(values.abs().max())
        assert float(found) == pytest.approx(wanted, rel=1e-6)
