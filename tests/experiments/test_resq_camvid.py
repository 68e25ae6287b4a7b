"""The experiment on CamVid, at a tiny size."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import videoquant as vq
from tests.camvid import FRAMES, HEIGHT, WIDTH, write_camvid
from videoquant.data.sets.camvid import CLASSES

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))
import common
from resq_camvid import draw, measure

SCHEMES = ("fp32", "w8a8", "w2a2", "w8a8->w4a4 T=3", "w8a8->w4a4 T=3 per-tensor")


def test_it_measures_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = vq.data.open(f"camvid:{write_camvid(tmp_path / 'data')}").clip()
    torch.manual_seed(0)
    first, last = nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.Conv2d(16, len(CLASSES), 1, bias=False)
    module = nn.Sequential(first, nn.ReLU(), nn.Conv2d(16, 16, 1, bias=False), nn.ReLU(), last)
    # Around zero and without biases, so that random weights do not give every colour one class.
    seen = vq.Preprocessing(mean=(0.5,) * 3, std=(0.25,) * 3, task="segmentation")
    network = vq.capture(module, torch.rand(1, 3, HEIGHT, WIDTH), preprocessing=seen)
    results = measure(network, source, SCHEMES, FRAMES)
    assert results["frames"] == FRAMES and results["size"] == [HEIGHT, WIDTH]
    assert "some of them scored too" in results["calibration"]
    rows = {row["scheme"]: row for row in results["rows"]}
    assert list(rows) == list(SCHEMES)
    assert rows["fp32"]["agreement"]["mask_iou"] == 1 > rows["w2a2"]["agreement"]["mask_iou"]
    for row in rows.values():
        assert row["accuracy"]["miou"] == pytest.approx(np.mean(list(row["accuracy_by_label"].values())))
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    draw(results)
    with Image.open(tmp_path / "resq_camvid.png") as picture:
        assert picture.width == 1100
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 100
