"""Where quantizers stand: the first and the last layers, and the bits of each."""

import pytest
import torch
from torch import nn

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.engine import lower
from videoquant.quantizers.placement import head_layers, is_named, layer_bits, tail_layers


class Joined(nn.Module):
    """Two layers read the input, one of them normalized; `both` reads it behind the output of a layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.beside = nn.Conv2d(3, 4, 3, padding=1)
        self.both = nn.Conv2d(7, 4, 1)
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        y = torch.relu(self.both(torch.cat([torch.relu(self.first((x - 0.5) / 0.25)), x], 1)))
        return {"map": self.last(y + self.beside(x)), "early": y}


@pytest.fixture(scope="module")
def joined():
    return vq.capture(Joined().eval(), (torch.rand(1, 3, 8, 8),))


def test_a_head_layer_sees_the_input_and_no_other_layers_output(joined):
    assert head_layers(joined) == {"first", "beside"}


def test_a_tail_layer_reaches_an_output_through_no_other_layer(joined):
    assert tail_layers(joined) == {"last", "both"}


def test_first_and_last_layers_have_bits_of_their_own(joined):
    bits = layer_bits(joined, vq.Scheme.parse("w4a4->w2a2 T=3 head=6 tail=5"))
    assert {name: str(layer) for name, layer in bits.items()} == {
        "first": "w6a6",
        "beside": "w6a6",
        "both": "w5a5",
        "last": "w5a5",
    }


@pytest.mark.parametrize(("head", "tail"), [(6, 4), (4, 6), (2, 6), (6, 2)])
def test_a_layer_that_is_first_and_last_has_the_wider_of_both(head, tail):
    network = vq.capture(nn.Conv2d(3, 4, 1), (torch.rand(1, 3, 4, 4),))
    (bits,) = layer_bits(network, vq.Scheme.parse(f"w2a2 head={head} tail={tail}")).values()
    assert str(bits.key) == "w6a6"


class Distribution(nn.Module):
    """YOLOv8's sides of boxes: the mean of a distribution, by a convolution with fixed weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.sides = nn.Conv2d(8, 16, 1)
        self.mean = nn.Conv2d(4, 1, 1, bias=False)
        self.score = nn.Conv2d(8, 2, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = torch.relu(self.stem(x))
        shares = self.sides(y).reshape(1, 4, 4, 16).permute(0, 2, 1, 3).softmax(1)
        return {"boxes": self.mean(shares), "scores": torch.sigmoid(self.score(y))}


@pytest.fixture(scope="module")
def distribution() -> vq.Network:
    return vq.capture(Distribution().eval(), (torch.zeros(1, 3, 4, 4),), name="boxes")


def of(network: vq.Network, scheme: str) -> dict[str, str]:
    return {name: str(bits) for name, bits in layer_bits(network, vq.Scheme.parse(scheme)).items()}


def test_what_weighs_a_distribution_stays_in_floating_point(distribution):
    assert of(distribution, "w8a8")["mean"] == "fp32" and of(distribution, "w8a8")["score"] == "w8a8"
    assert of(distribution, "w8a8->w4a4 T=3")["mean"] == "fp32"
    assert of(distribution, "w8a8 quantize=mean")["mean"] == "w8a8"


def test_layers_stay_in_floating_point_by_name(distribution):
    bits = of(distribution, "w4a4 head=2 tail=2 keep-float=sides,stem")
    assert bits == {"stem": "fp32", "sides": "fp32", "mean": "fp32", "score": "w4a4"}
    # A name is that of a module too, and no part of another name.
    assert is_named("model.22.dfl.conv", "model.22") and is_named("/model.22/conv/Conv", "/model.22")
    assert not is_named("model.22.conv", "model.2")


def test_a_name_of_no_layer_is_refused(distribution):
    with pytest.raises(vq.SchemeError) as error:
        of(distribution, "w8a8 keep-float=side")
    assert str(error.value).startswith("keep-float=side: boxes has no such layer; did you mean sides")


def test_a_network_with_layers_in_floating_point_runs_in_the_engine():
    network, frames = small_network(), moving_frames(4)
    quantized = vq.quantize(network, "w8a8 keep-float=block.depthwise,left", calibration=frames)
    assert {"block.depthwise", "left"}.isdisjoint(quantized.points) and "right" in quantized.points
    stream, plan = quantized.stream(), lower(quantized).stream("exact", 1)
    for frame in frames:
        simulated, ran = stream.run(frame), plan.run(frame)
        for name, expected in simulated.items():
            assert torch.allclose(ran[name], expected, atol=1e-4)
