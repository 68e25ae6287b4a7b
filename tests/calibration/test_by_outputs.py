"""The word by-outputs: outputs decide how ranges are measured, on all frames that calibrate."""

import pytest
import torch
from torch import nn

import videoquant as vq
from tests.calibration.test_equalize import inputs, uneven
from tests.networks import moving_frames, small_network
from videoquant.calibration import by_outputs
from videoquant.calibration.by_outputs import CANDIDATES, FEWEST
from videoquant.calibration.calibrate import learn, walks
from videoquant.errors import CalibrationWarning
from videoquant.ranges.estimators import MSE


class Rare(nn.Module):
    """Looks for what is larger than anything else, which few frames show."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)
        with torch.no_grad():
            self.first.weight.abs_()

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


def rare():
    torch.manual_seed(0)
    return vq.capture(Rare().eval(), torch.rand(1, 3, 16, 16))


def rare_frames(count=16):
    """Frames of small values, in every third of which one pixel is large."""
    frames = [x[..., :16, :16] * 0.05 for x in moving_frames(count, size=16)]
    for x in frames[::3]:
        x[..., 3, 5] = 20.0
    return frames


@pytest.fixture
def averaged(monkeypatch):
    """The plain rule takes the average of the samples' ranges, which forgets what is rare."""
    monkeypatch.setattr(MSE, "pooling", lambda self, bits: "mean")


def same(a, b, frames):
    streams = a.stream(), b.stream()
    return all(torch.equal(streams[0].run(x)["output"], streams[1].run(x)["output"]) for x in frames)


def test_channels_of_uneven_size_are_equalized():
    network, frames = uneven(), inputs(8)
    found = vq.quantize(network, "w8a8 by-outputs", frames)
    assert "equalize" in str(found.scheme)
    assert same(found, vq.quantize(network, found.scheme, frames), frames)


def test_the_plain_rule_covers_what_is_rare():
    assert str(vq.quantize(rare(), "w8a8 by-outputs", rare_frames()).scheme) == "w8a8"


@pytest.mark.usefixtures("averaged")
def test_what_is_rare_gets_wider_ranges():
    network, frames = rare(), rare_frames()
    found = vq.quantize(network, "w8a8 by-outputs", frames)
    assert str(found.scheme) == "w8a8 by-width"
    assert same(found, vq.quantize(network, "w8a8 by-width", frames), frames)


def test_the_plain_rule_stays_where_little_is_gained(monkeypatch):
    monkeypatch.setattr(by_outputs, "GAIN", 1000.0)
    frames = inputs(8)
    found = vq.quantize(uneven(), "w8a8 by-outputs", frames)
    assert str(found.scheme) == "w8a8"
    assert same(found, vq.quantize(uneven(), "w8a8", frames), frames)


def test_of_few_frames_nothing_is_concluded():
    frames = inputs(FEWEST - 1)
    assert str(vq.quantize(uneven(), "w8a8 by-outputs", frames).scheme) == "w8a8"


@pytest.mark.parametrize("count", [2, 8])
def test_progress_is_called_as_often_as_announced(count):
    network, scheme, calls = small_network(), vq.Scheme.parse("w8a8 by-outputs"), []
    learn(network, scheme, [[x] for x in moving_frames(count)], lambda: calls.append(0))
    assert walks(scheme) == CANDIDATES
    assert len(calls) == walks(scheme) * len(network.nodes)


@pytest.mark.usefixtures("averaged")
def test_one_frame_alone_can_decide():
    shown, usual = rare_frames()[:2]
    common = [usual + 1e-3 * torch.rand_like(usual) for _ in range(12)]
    with pytest.warns(CalibrationWarning, match="one picture"):
        assert str(vq.quantize(rare(), "w8a8 by-outputs", common).scheme) == "w8a8"
    for place in (0, 5, 10):
        found = vq.quantize(rare(), "w8a8 by-outputs", [*common[:place], shown, *common[place:]])
        assert str(found.scheme) == "w8a8 by-width"
