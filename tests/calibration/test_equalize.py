"""Channels before depthwise convolutions get one range: the same function, resolved alike."""

import pytest
import torch
from torch import nn

import videoquant as vq
from tests.engine.agreement import Agreement
from videoquant.calibration.equalize import LEAST, equalized
from videoquant.errors import SchemeError

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
    frames, layers = inputs(), {node.name for node in network.layers}
    equal = equalized(network, [frames], layers)
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
    assert equalized(network, [frames], layers - {"depthwise"}).nodes == network.nodes


def test_small_channels_keep_their_codes(network):
    frames, noise = inputs(), {}
    for text in ("w8a4", "w8a4 equalize"):
        stream = vq.quantize(network, f"{text} no-bias-correction", frames).stream()
        with torch.no_grad():
            noise[text] = sum(
                float((stream.run(x)["output"] - network.run(x)["output"]).square().sum())
                for x in inputs(6)[4:]
            )
    plain, equal = noise.values()
    assert equal < 0.25 * plain


@pytest.mark.parametrize("text", ["w8a4 equalize", "w8a8->w4a4 T=3 equalize"])
def test_saved_and_run_in_integers(network, tmp_path, text):
    frames = inputs(6)
    quantized = vq.quantize(network, text, frames)
    vq.save(quantized, tmp_path / "q.vq")
    read = vq.load_quantized(tmp_path / "q.vq")
    assert read.scheme == quantized.scheme and read.scheme.equalize
    agreement = Agreement(read)
    for x in frames:
        agreement.run(x)
    agreement.check()


def test_what_cannot_be_equalized_is_refused():
    for text in ("w8a8 per-tensor equalize", "w8a8 dynamic equalize"):
        with pytest.raises(SchemeError, match="equalize"):
            vq.Scheme.parse(text)
