"""A small network on a small labelled video, for the experiments."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import videoquant as vq
from tests.camvid import FRAMES, HEIGHT, WIDTH, write_camvid
from videoquant.data.sets.camvid import CLASSES

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))
import common
from labelled import Video


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Video:
    """Results go to the test's folder."""
    source = vq.data.open(f"camvid:{write_camvid(tmp_path / 'data')}").clip()
    torch.manual_seed(0)
    first, last = nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.Conv2d(16, len(CLASSES), 1, bias=False)
    module = nn.Sequential(first, nn.ReLU(), nn.Conv2d(16, 16, 1, bias=False), nn.ReLU(), last)
    # Around zero and without biases, so that random weights do not give every colour one class.
    seen = vq.Preprocessing(mean=(0.5,) * 3, std=(0.25,) * 3, task="segmentation")
    network = vq.capture(module, torch.rand(1, 3, HEIGHT, WIDTH), preprocessing=seen)
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    return Video(network, source, FRAMES, "random")
