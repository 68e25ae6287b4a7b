"""The order of examples: a function of seed, epoch and place."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

import videoquant as vq
from tests.training.conftest import short, slim
from videoquant.errors import DataError
from videoquant.training.batches import Batches
from videoquant.training.objectives import objective_for


def batches(pictures, rank=0, world=1, **settings):
    return Batches(objective_for(slim(), pictures, short(**settings)), rank, world)


def test_an_epoch_is_the_same_each_time_and_every_epoch_another(pictures):
    one = batches(pictures)
    first, again, later = list(one.of_epoch(0)), list(batches(pictures).of_epoch(0)), list(one.of_epoch(1))
    assert len(first) == one.per_epoch == 2
    for (x, t), (y, u) in zip(first, again, strict=True):
        assert torch.equal(x, y) and torch.equal(t, u)
    assert not torch.equal(first[0][0], later[0][0])


def test_a_later_start_gives_the_rest(pictures):
    one = batches(pictures, batch=1)
    whole, rest = list(one.of_epoch(2)), list(one.of_epoch(2, start=4))
    assert len(rest) == 2
    for (x, _), (y, _) in zip(whole[4:], rest, strict=True):
        assert torch.equal(x, y)


def test_processes_share_a_batch(pictures):
    whole = next(batches(pictures, batch=4).of_epoch(0))
    shares = [next(batches(pictures, rank, 2, batch=4).of_epoch(0)) for rank in (0, 1)]
    for index in (0, 1):
        assert torch.equal(whole[index][0::2], shares[0][index])
        assert torch.equal(whole[index][1::2], shares[1][index])


def test_inputs_and_targets_are_what_the_network_takes(pictures):
    inputs, targets = next(batches(pictures).of_epoch(0))
    assert inputs.shape == (3, 3, 32, 64) and inputs.dtype == torch.float32
    assert targets.shape == (3, 32, 64) and targets.dtype == torch.int64
    assert set(targets.unique().tolist()) <= {0, 8, 11}


@pytest.mark.parametrize(
    ("world", "settings", "message"),
    [(1, {"batch": 7}, "less than a batch of 7"), (2, {}, "cannot be shared evenly by 2 processes")],
)
def test_batches_that_cannot_be_are_refused(pictures, world, settings, message):
    with pytest.raises(DataError, match=message):
        batches(pictures, 0, world, **settings)


def test_a_missing_picture_is_an_error_of_its_own(squares, tmp_path):
    shutil.copytree(squares, tmp_path / "c")
    data = vq.data.open(f"camvid:{tmp_path / 'c'}#train")
    next((tmp_path / "c" / "train").iterdir()).write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"^.*0016E5_\d+\.png: "):
        list(batches(data).of_epoch(0))


@pytest.mark.parametrize("color", ["RGB", "BGR", "Y"])
def test_a_batch_is_prepared_as_each_of_its_pictures(pictures, color):
    model = slim()
    values = (0.5,) if color == "Y" else (0.1, 0.2, 0.3)
    preprocessing = vq.Preprocessing(mean=values, std=values, color=color, task="segmentation")
    model.config = replace(model.config, preprocessing=preprocessing)
    crops = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 3), np.uint8)
    together = objective_for(model, pictures, short()).prepared(crops)
    apart = np.concatenate([preprocessing.prepare(crop, (8, 6)) for crop in crops])
    assert np.array_equal(together.numpy(), apart)
