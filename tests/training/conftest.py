"""A small network and a short recipe, so that a training takes a second."""

from dataclasses import replace

import pytest
import torch

import videoquant as vq
from videoquant.models.ddrnet import DDRNET23_SLIM, DDRNet
from videoquant.training.processes import Processes
from videoquant.training.recipe import Recipe

ALONE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture
def pictures(squares):
    return vq.data.open(f"camvid:{squares}#train")


def slim(seed=0):
    """DDRNet with two channels where the slim one has 32: 11 classes, as CamVid."""
    torch.manual_seed(seed)
    return DDRNet(replace(DDRNET23_SLIM, width=2, head=4, context=4, num_classes=11))


def short(**settings):
    """A recipe of three epochs of two steps."""
    defaults = {"epochs": 3, "batch": 3, "crop": (32, 64), "scales": (0.5, 2.0), "jitter": 0.3, "hard": 0.9}
    return Recipe(**defaults | settings)
