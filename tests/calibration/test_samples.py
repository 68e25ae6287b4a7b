"""Samples come back with the same bits and strides, wherever they lie, and memory is what it says."""

import tempfile

import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.calibration.calibrate import layer_weights
from videoquant.calibration.calibration_pass import CalibrationPass
from videoquant.calibration.predicted_fit import PredictedFit
from videoquant.calibration.range_fit import RangeFit
from videoquant.calibration.samples import Codes, Shelf
from videoquant.ranges.grid import Grid
from videoquant.simulate.activations import quantize, quantize_dense_sparse
from videoquant.simulate.parameters import FeatureSpec
from videoquant.simulate.quantized_tensor import QuantizedTensor, values_of


def tensors():
    base = torch.randn(2, 6, 5, 7)
    last = base.contiguous(memory_format=torch.channels_last)
    return [
        base,
        last,
        last[:, 1:4],
        base[:, ::2],
        base.mean((2, 3)),
        base[:, :1].expand(2, 6, 5, 7),
        base > 0,
    ]


@pytest.mark.parametrize("budget", [0, 1 << 30])
def test_samples_come_back_as_they_were(budget):
    samples = Shelf(budget).samples()
    for x in tensors():
        samples.append(x)
    assert (samples.bytes > 0) == (budget > 0)
    torch.manual_seed(0)
    wanted = [samples[i].clone() for i in range(7)]
    for i, x in enumerate(wanted):
        assert torch.equal(samples[i], x) and torch.equal(samples.take(i), x)
    assert samples.bytes == 0


def test_strides_survive_a_file():
    samples = Shelf(0).samples()
    for x in tensors():
        samples.append(x)
        i = len(samples._kept) - 1
        assert (
            torch.equal(samples[i], x) and samples[i].stride() == x.stride() and samples[i].dtype == x.dtype
        )


def test_the_budget_is_shared_and_what_goes_makes_room():
    shelf = Shelf(100 * 4)
    first, second = shelf.samples(), shelf.samples()
    first.append(torch.rand(60))
    second.append(torch.rand(60))
    assert (first.bytes, second.bytes) == (240, 0)
    first.take(0)
    second.append(torch.rand(60))
    assert (first.bytes, second.bytes) == (0, 240)


def test_without_files_everything_stays_in_memory(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError("read-only")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    samples, x = Shelf(0).samples(), torch.rand(10)
    samples.append(x)
    assert torch.equal(samples[0], x) and samples.bytes == 40


@pytest.mark.parametrize("grid", [Grid.affine(-1.3, 2.0, 8), Grid.affine(0, 2.0, 3), Grid.symmetric(1.0, 8)])
def test_codes_stand_for_the_same_values(grid):
    codes, x = Codes(Shelf()), torch.randn(1, 3, 9, 8)
    sparse, _ = quantize_dense_sparse(x, grid)
    wanted = [quantize(x, grid), x, sparse]
    for value in wanted:
        codes.append(value)
    for i, value in enumerate(wanted):
        for found in (codes[i], codes.take(i)):
            assert isinstance(found, QuantizedTensor) == isinstance(value, QuantizedTensor)
            assert torch.equal(values_of(found), values_of(value))
    assert codes._dense.bytes == 0


@pytest.mark.parametrize(
    "text",
    [
        "w8a8",
        "w4a4 ds=1%",
        "w8a8->w4a4 T=3",
        "w8a8->w4a4 T=3 recurrent adaptive",
        "w8a32->w4a4 T=2",
        "w8a4 qpp",
    ],
)
def test_what_is_learnt_does_not_depend_on_where_samples_lie(text):
    network, scheme = small_network(), vq.Scheme.parse(text)
    frames = [network.prepare(frame) for frame in moving_frames(24)]
    clips = [frames[i : i + scheme.period] for i in range(0, 24, scheme.period)]
    watched = {"relu": FeatureSpec(("mean", "max"), ("mean", "max"))}
    fit = PredictedFit(network, scheme, watched) if "qpp" in text else RangeFit()
    walks = [
        CalibrationPass(network, scheme, layer_weights(network, scheme), fit, in_memory)
        for in_memory in (0, 1 << 30)
    ]
    for walk in walks:
        walk.run(clips, None)
    assert walks[0].grids == walks[1].grids
    assert walks[0].grids == vq.quantize(network, scheme, frames).grids or fit.watched


def test_nothing_is_held_after_its_last_reader():
    network, scheme = small_network(), vq.Scheme.parse("w8a8->w4a4 T=2")
    walk = CalibrationPass(network, scheme, layer_weights(network, scheme), RangeFit())
    frames = moving_frames(8)
    walk.run([frames[i : i + 2] for i in range(0, 8, 2)], None)
    assert not walk._codes and not any(samples.bytes for samples in walk._shelf._live)
