"""Where quantizers stand: the first and the last layers, and the bits of each."""

import pytest
import torch
from torch import nn

import videoquant as vq
from videoquant.quantizers.placement import head_layers, layer_bits, tail_layers


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
