"""Users get Tensors where PyTorch is installed and arrays where it is not; the values are the same."""

import numpy as np
import pytest
import torch

from videoquant.runtime import outputs

ARRAYS = {"map": np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1)[None]}


@pytest.fixture
def without_pytorch(monkeypatch):
    monkeypatch.setattr(outputs, "find_spec", lambda name: None)
    outputs._converter.cache_clear()
    yield
    outputs._converter.cache_clear()


def test_tensors_share_the_memory_of_the_arrays():
    given = outputs.for_user(ARRAYS)
    assert given["map"].data_ptr() == ARRAYS["map"].ctypes.data
    assert given["map"].shape == (1, 4, 2, 3) and given["map"].stride()[1:] == (1, 12, 4)


def test_what_is_given_can_be_trained_on_later():
    with torch.inference_mode():
        given = outputs.for_user(ARRAYS)
    assert not given["map"].is_inference()


def test_arrays_are_given_as_they_are(without_pytorch):
    assert outputs.for_user(ARRAYS)["map"] is ARRAYS["map"]
