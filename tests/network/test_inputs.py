"""A network's input lies in memory as PyTorch lays one out itself: it chooses its convolutions by that."""

import numpy as np
import pytest
import torch

from videoquant.network.inputs import prepare_tensor
from videoquant.network.preprocessing import Preprocessing

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)


@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_a_picture_s_steps_are_those_of_a_tensor_in_channels_last(fit: str) -> None:
    x = prepare_tensor(PICTURE, Preprocessing(fit=fit), (1, 3, 16, 12))
    assert x.stride() == torch.empty(x.shape).to(memory_format=torch.channels_last).stride()


def test_a_luma_picture_s_steps_are_those_of_a_tensor_in_channels_last() -> None:
    x = prepare_tensor(PICTURE, Preprocessing(color="Y", mean=(0.0,), std=(1.0,)), (1, 1, 16, 12))
    assert x.stride() == torch.empty(x.shape).to(torch.float64, memory_format=torch.channels_last).stride()


@pytest.mark.parametrize("shape", [(3, 16, 12), (1, 3, 16, 12), (2, 3, 16, 12)])
def test_an_array_s_steps_are_those_of_the_tensor_that_holds_the_same(shape: tuple[int, ...]) -> None:
    given = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    of_array, of_tensor = (
        prepare_tensor(frame, Preprocessing(), (1, 3, 16, 12)) for frame in (given, torch.from_numpy(given))
    )
    assert of_array.stride() == of_tensor.stride()
    assert torch.equal(of_array, of_tensor)


def test_an_array_that_its_owner_writes_into_is_copied() -> None:
    given = np.zeros((1, 16, 12, 3), np.float32).transpose(0, 3, 1, 2)
    x = prepare_tensor(given, Preprocessing(), (1, 3, 16, 12))
    given += 1
    assert not x.any()
