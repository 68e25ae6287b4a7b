"""Small data sets on disk and a small network, so that a training takes a second."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import videoquant as vq
from videoquant.models.ddrnet import DDRNET23_SLIM, DDRNet
from videoquant.training.processes import Processes
from videoquant.training.recipe import Recipe

ALONE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture(scope="session")
def camvid(tmp_path_factory):
    """A folder in CamVid's layout: six pictures to train on, three to score, the class is what is bright."""
    root = tmp_path_factory.mktemp("camvid")
    random = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 3)):
        for folder in (split, f"{split}annot"):
            (root / folder).mkdir()
        for number in range(count):
            labels = np.zeros((64, 96), np.uint8)
            top, left = random.integers(0, (32, 48))
            labels[top : top + 32, left : left + 48] = 8
            labels[:2] = 11
            pixels = np.where(labels == 8, 200, 60)[..., None] + random.integers(-20, 20, (64, 96, 3))
            name = f"0016E5_{7959 + 2 * number:05}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(root / split / name)
            Image.fromarray(labels).save(root / f"{split}annot" / name)
    return root


@pytest.fixture
def pictures(camvid):
    return vq.data.open(f"camvid:{camvid}#train")


def slim(seed=0):
    """DDRNet with two channels where the slim one has 32: 11 classes, as CamVid."""
    torch.manual_seed(seed)
    return DDRNet(replace(DDRNET23_SLIM, width=2, head=4, context=4, num_classes=11))


def short(**settings):
    """A recipe of three epochs of two steps."""
    defaults = {"epochs": 3, "batch": 3, "crop": (32, 64), "scales": (0.5, 2.0), "jitter": 0.3, "hard": 0.9}
    return Recipe(**defaults | settings)
