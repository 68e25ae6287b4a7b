"""A policy's stream: the output is that of the network it names."""

import numpy as np
import pytest
import torch
from torch import nn

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.errors import DataError, NetworkError
from videoquant.simulate.policy import PolicyNetwork, policy_input

BOPS = (3e6, 1e6)


class Brightness(nn.Module):
    """Logits 1×2: the second choice where the picture is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor([[0.0] * 3, [1.0] * 3]))
            self.layer.bias.copy_(torch.tensor([0.0, -1.5]))

    def forward(self, x):
        return self.layer(x.mean((2, 3)))


@pytest.fixture(scope="module")
def policy():
    network, frames = small_network(), moving_frames(4)
    choices = [vq.quantize(network, scheme, frames) for scheme in ("w8a8", "w4a4")]
    return PolicyNetwork(vq.capture(Brightness(), torch.rand(1, 3, 8, 8)), choices, BOPS)


def test_each_frame_goes_through_the_network_chosen_for_it(policy):
    stream = policy.stream()
    assert stream.chosen is None
    dark, bright = np.full((16, 16, 3), 20, np.uint8), np.full((16, 16, 3), 240, np.uint8)
    for number, (pixels, expected) in enumerate(((dark, 0), (bright, 1), (bright, 1), (dark, 0))):
        output = stream(vq.data.Frame(pixels, number))
        assert (stream.chosen, stream.bops) == (expected, BOPS[expected])
        for name, tensor in policy.choices[expected].stream().run(pixels).items():
            assert torch.equal(output[name], tensor)
    x = policy.choices[0].network.prepare(bright)
    assert torch.equal(stream(x)["map"], policy.choices[1].stream().run(bright)["map"])
    assert policy.stream().choose(dark) == 0
    stream.reset()
    assert stream.chosen is None


def test_the_policy_has_a_cost_of_its_own(policy):
    assert policy.policy_bops == 6 * 32**2


def test_what_it_sees_is_resized():
    x = torch.rand(2, 3, 16, 24)
    assert policy_input(x, (16, 24)) is x
    assert policy_input(x, (4, 6)).shape == (2, 3, 4, 6)
    assert torch.allclose(policy_input(torch.ones(1, 3, 16, 24), (5, 7)), torch.ones(1, 3, 5, 7))


def test_what_cannot_be_chosen_says_why(policy):
    with pytest.raises(NetworkError, match="chooses among 2 networks; 1 are given"):
        PolicyNetwork(policy.policy, policy.choices[:1], BOPS[:1])
    stream = policy.stream()
    with pytest.raises(DataError, match="one frame at a time; the input holds 2"):
        stream(torch.rand(2, 3, 16, 16))
    broken = vq.capture(Brightness(), torch.rand(1, 3, 8, 8))
    broken.tensors["layer.bias"] = torch.full((2,), float("nan"))
    stream = PolicyNetwork(broken, policy.choices, BOPS).stream()
    with pytest.raises(DataError, match="not finite"):
        stream(torch.rand(1, 3, 16, 16))
    assert stream.chosen is None
