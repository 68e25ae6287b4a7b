"""Calibration of networks with states: samples come with the states that the frames before left."""

import pytest
import torch
from torch import nn

import videoquant as vq
from tests.networks import moving_frames, small_network
from tests.stateful import stateful_network
from videoquant.calibration import calibration_pass
from videoquant.calibration.alpha import search_alpha
from videoquant.calibration.calibrate import layer_weights
from videoquant.calibration.calibration_pass import CalibrationPass
from videoquant.calibration.equalize import equalized
from videoquant.calibration.range_fit import RangeFit
from videoquant.calibration.sampling import LEAD, calibration_clips, run_length
from videoquant.errors import NetworkError
from videoquant.network.float_stream import FloatStream
from videoquant.schemes import Scheme
from videoquant.simulate.policy import PolicyNetwork
from videoquant.training.trainable import TrainableNetwork


@pytest.fixture(scope="module")
def network():
    return stateful_network()


@pytest.mark.parametrize("text", ["w8a8", "w8a8->w4a4 T=3"])
def test_a_sample_s_states_are_those_of_the_floating_point_network(network, text, monkeypatch):
    scheme = Scheme.parse(text)
    clips = calibration_clips(network, moving_frames(20), scheme)
    assert [len(clip) for clip in clips] == [scheme.period + LEAD] * 2 + ([] if scheme.period == 3 else [4])
    seen = {}

    class Looking(CalibrationPass):
        def _kept(self, value, tensors):
            samples = super()._kept(value, tensors)
            if value in network.states:
                seen[value] = [samples[i] for i in range(len(self._frames))]
            return samples

    walk = Looking(network, scheme, layer_weights(network, scheme), RangeFit({}))
    walk.run(clips, None)
    for state, samples in seen.items():
        wanted = []
        for clip in clips:
            stream = FloatStream(network)
            for i, x in enumerate(clip):
                if i >= len(clip) - scheme.period:
                    wanted.append(stream.states[state])
                stream.feed(x)
        assert len(samples) == len(wanted) == scheme.period * len(clips)
        assert all(torch.equal(a, b) for a, b in zip(samples, wanted, strict=True))
    assert seen.keys() == network.states.keys()


def test_a_clip_that_is_too_short_has_the_states_of_its_frames(network):
    quantized = vq.quantize(network, "w8a8->w4a4 T=3", moving_frames(2))
    assert quantized.stream()(moving_frames(1)[0]).isfinite().all()


def test_ranges_see_states_that_have_grown(network):
    """Of the first frame alone the range of a state would be nothing."""
    quantized = vq.quantize(network, "w8a8", moving_frames(16))
    at = next(point for point in quantized.grids if point.value.startswith("cat"))
    assert quantized.grids[at].key.fixed.range[1] > 0.5


@pytest.mark.parametrize("text", ["w8a8", "w4a4", "w8a8->w4a4 T=3", "w8a8 qpp at=input"])
def test_what_is_quantized_follows_the_network(network, text):
    frames = moving_frames(48)
    simulation, exact = vq.quantize(network, text, frames).stream(), FloatStream(network)
    errors = []
    for x in frames:
        y = exact.feed(x)["output"]
        errors.append(float((simulation.feed(x)["output"] - y).abs().max() / y.abs().max()))
    assert max(errors) < (0.05 if "w8a8" in text and "T" not in text else 0.4), max(errors)


def test_alpha_is_searched_with_states(network):
    clips = calibration_clips(network, moving_frames(16), Scheme.parse("w8a4"))
    assert 0.5 < search_alpha(network, Scheme.parse("w8a4"), clips).best <= 1


def test_others_run_as_they_did_without_states():
    network, scheme = small_network(), Scheme.parse("w8a8->w4a4 T=3")
    assert run_length(network, scheme) == 3
    assert calibration_pass.FloatStream(network).states == {}


def test_what_has_no_streams_for_states_refuses_them(network):
    quantized = vq.quantize(network, "w8a8", moving_frames(8))
    with pytest.raises(NetworkError, match="stateful: has states; networks with states are not trained"):
        TrainableNetwork(quantized)
    policy = small_network()
    policy.outputs = {"scores": policy.outputs["scores"]}
    with pytest.raises(NetworkError, match="stateful: has states, which the choices of a policy would have"):
        PolicyNetwork(policy, [quantized] * 5, [1.0] * 5)


class Remembering(nn.Module):
    """A depthwise convolution reads a value that is a state too, in channels of very different sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.depthwise = nn.Conv2d(7, 4, 1), nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.register_buffer("h", torch.zeros(1, 4, 8, 8))
        with torch.no_grad():
            self.first.weight.mul_(torch.tensor([1.0, 30, 0.1, 5]).view(4, 1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.first(torch.cat([x, 0.1 * self.h], 1)))
        self.h.copy_(y)
        return self.depthwise(y)


def test_equalization_leaves_states_as_they_are():
    network, frames = vq.capture(Remembering().eval(), torch.rand(1, 3, 8, 8)), moving_frames(9, 8)
    bits = {node.name: 8 for node in network.layers}
    streams = FloatStream(network), FloatStream(equalized(network, [frames], bits))
    assert streams[1].network.states == network.states
    for x in frames:
        a, b = (stream.feed(x)["output"] for stream in streams)
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(streams[0].states, streams[1].states, rtol=1e-4, atol=1e-4)
