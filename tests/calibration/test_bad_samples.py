"""Calibration samples that teach little or nothing: one clear line, or what is safe and a warning."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.calibration.unmeasured import unmeasured
from videoquant.errors import CalibrationWarning
from videoquant.tasks import task_for


def network(weight=1.0, bias=0.0, first=1.0):
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 2, 1)
    with torch.no_grad():
        layers[0].weight.mul_(first)
        layers[2].weight.mul_(weight)
        layers[2].bias.add_(bias)
    return vq.capture(nn.Sequential(*layers).eval(), torch.rand(1, 3, 12, 12))


def said(network, text, frames):
    """The quantized network, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quantized = vq.quantize(network, text, frames)
    return quantized, [str(w.message) for w in caught if w.category is CalibrationWarning]


def test_one_frame_is_too_few_for_residuals():
    with pytest.raises(vq.DataError, match=r"needs at least 2 consecutive frames; got 1$"):
        vq.quantize(network(), "w8a8->w4a4 T=3", moving_frames(1, 12))
    with pytest.raises(vq.DataError, match=r"needs at least 1 frame; got none$"):
        vq.quantize(network(), "w8a8", [])


@pytest.mark.parametrize("text", ["w8a8", "w4a4 by-width", "w8a4 ds=1%"])
def test_one_picture_again_and_again_is_said(text):
    (frame,) = moving_frames(1, 12)
    quantized, (line,) = said(network(), text, [frame] * 4)
    assert "all frames are one picture, whose ranges stand for all" in line
    assert quantized.grids == said(network(), text, [frame])[0].grids
    assert not said(network(), text, [frame])[1] and not said(network(), text, moving_frames(4, 12))[1]


def test_a_quantizer_without_predictor_is_counted_once():
    _, (line,) = said(network(), "w8a8->w4a4 T=3 qpp", moving_frames(2, 12))
    few, all_of_them = re.search(r"too few frames differ at (\d+) of (\d+) quantizers", line).groups()
    assert 0 < int(few) < int(all_of_them)  # none predicts the first


def test_a_bias_that_would_overflow_stays(monkeypatch):
    given = network(weight=1e37, first=20)
    codes = vq.calibration.layer_outputs.corrected_bias

    def overflowing(node, samples, weights, tensors):
        bias = codes(node, samples, weights, tensors)
        return bias * np.inf if node.name == given.layers[1].name else bias

    monkeypatch.setattr(vq.calibration.layer_outputs, "corrected_bias", overflowing)
    name = given.layers[1].name
    quantized, (line,) = said(given, "w3a3", moving_frames(4, 12))
    assert f"the corrected bias of {name!r} overflows" in line
    assert torch.equal(quantized.network.tensors[f"{name}.bias"], given.tensors[f"{name}.bias"])


@pytest.mark.parametrize("size", [np.inf, np.nan, 1e39])
def test_a_range_that_is_not_finite_is_one_line(size, monkeypatch):
    given = network()
    monkeypatch.setattr(
        vq.calibration.calibration_pass, "sample_ranges", lambda *_: np.array([[-1.0, size]] * 4)
    )
    with pytest.raises(vq.DataError, match="are so large that w8a8 finds no range for them that is finite"):
        vq.quantize(given, "w8a8", moving_frames(4, 12))


def test_frames_without_what_the_task_measures_are_told():
    """A mask that is empty in every frame."""
    layers = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Sigmoid())
    with torch.no_grad():
        layers[0].weight.zero_()
        layers[0].bias.fill_(-4)
    empty = vq.capture(layers.eval(), torch.rand(1, 3, 12, 12))
    empty.preprocessing = replace(empty.preprocessing, task="segmentation")
    task, frames = task_for(empty), moving_frames(4, 12)
    assert task is not None and unmeasured(empty, frames) == task.measures[0].label
    _, (line,) = said(empty, "w8a8 head=2 tail=2", frames)
    assert f"no frame shows what {task.measures[0].label} measures" in line
    with torch.no_grad():
        layers[0].bias.fill_(4)
    full = vq.capture(layers, torch.rand(1, 3, 12, 12))
    full.preprocessing = empty.preprocessing
    assert unmeasured(full, frames) == "" == unmeasured(small_network(), moving_frames(2))
