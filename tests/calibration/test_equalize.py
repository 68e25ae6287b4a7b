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

    def __init__(self, activation):
        super().__init__()
        self.activation = activation
        self.first, self.depthwise = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 10, 3, groups=5)
        self.last = nn.Conv2d(10, 2, 1)
        with torch.no_grad():
            self.first.weight.mul_(torch.cat([SIZES, torch.zeros(1)]).view(-1, 1, 1, 1))
            self.first.bias.zero_()
            self.depthwise.weight[:6].div_(SIZES[:3].repeat_interleave(2).view(-1, 1, 1, 1))

    def forward(self, x):
        return self.last(torch.relu(self.depthwise(self.activation(self.first(x)))))


def uneven(activation=nn.functional.silu):
    torch.manual_seed(0)
    return vq.capture(Uneven(activation).eval(), torch.rand(1, 3, 12, 12))


def inputs(count=4):
    return [torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(i)) for i in range(count)]


@pytest.mark.parametrize("activation", [nn.SiLU(), nn.ReLU(), nn.LeakyReLU(), nn.ReLU6()], ids=str)
def test_it_is_the_same_function_with_channels_of_one_range(activation):
    network, frames = uneven(activation), inputs()
    equal = equalized(network, [frames], {node.name: 8 for node in network.layers})
    added = {node.name for node in equal.nodes} - {node.name for node in network.nodes}
    # What ReLU and its like give is divided by the convolution before it.
    assert len(added) == isinstance(activation, nn.SiLU | nn.ReLU6)
    (read,) = next(node.inputs for node in equal.nodes if node.name == "depthwise")
    found = torch.zeros(5)

    def compute(node, inputs):
        y = equal.apply(node, inputs)
        if node.name == read:
            found.copy_(y.abs().amax((0, 2, 3)))
        return y

    with torch.no_grad():
        for x in frames[:1]:
            assert torch.allclose(equal.run(x, compute)["output"], network.run(x)["output"], atol=1e-5)
    assert (found[:3] > found[0] * SIZES[:3].sqrt() / 2).all()
    assert (found[:3] < found[0] * SIZES[:3].sqrt() * 2).all()
    assert found[3] < 2 * found[0] * SIZES[3] / LEAST**0.5  # what is next to nothing stays small
    assert found[4] == 0


def test_what_others_read_and_what_is_not_quantized_stay():
    network = uneven(torch.relu)
    bits = {node.name: 8 for node in network.layers}
    assert equalized(network, [inputs()], {"first": 8, "last": 8}).tensors == network.tensors
    read = next(node.inputs[0] for node in network.nodes if node.name == "depthwise")
    outputs = network.outputs | {"relu": read}
    shown = vq.Network(network.nodes, network.input, network.input_shape, outputs, network.tensors)
    equal = equalized(shown, [inputs()], bits)
    with torch.no_grad():
        y, wanted = equal.run(inputs()[0]), shown.run(inputs()[0])
    assert torch.equal(y["relu"], wanted["relu"]) and torch.allclose(y["output"], wanted["output"], atol=1e-5)
    assert len(equal.nodes) == len(shown.nodes) + 1


def test_small_channels_keep_their_codes():
    network, frames, noise = uneven(), inputs(), {}
    for text in ("w8a4", "w8a4 equalize"):
        stream = vq.quantize(network, f"{text} no-bias-correction", frames).stream()
        with torch.no_grad():
            noise[text] = sum(
                float((stream.run(x)["output"] - network.run(x)["output"]).square().sum())
                for x in inputs(6)[4:]
            )
    plain, equal = noise.values()
    assert equal < 0.5 * plain


@pytest.mark.parametrize("text", ["w8a4 equalize", "w8a8->w4a4 T=3 equalize"])
def test_saved_and_run_in_integers(tmp_path, text):
    network, frames = uneven(), inputs(6)
    quantized = vq.quantize(network, text, frames)
    vq.save(quantized, tmp_path / "q.vq")
    read = vq.load_quantized(tmp_path / "q.vq")
    assert read.scheme == quantized.scheme and read.scheme.equalize
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
