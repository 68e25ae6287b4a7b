"""Pictures of a comparison: of one size, sharp lines on small frames, equal where schemes draw the same."""

import io

import numpy as np
import pytest
from PIL import Image

from videoquant.comparison.pictures import SIDE, drawn
from videoquant.network.preprocessing import Preprocessing
from videoquant.tasks.segmentation import Segmentation


def opened(picture):
    return np.asarray(Image.open(io.BytesIO(picture)), np.int64)


@pytest.mark.parametrize("height, width", [(60, 90), (1080, 720), (1, 500), (SIDE // 2, SIDE)])
def test_the_longer_side_is_bounded_and_the_shape_kept(height, width):
    task = Segmentation("mask", (8, 8), Preprocessing(), 0.5, 1)
    mask = np.zeros((1, 1, 8, 8), np.float32)
    picture = opened(drawn(task, np.full((height, width, 3), 200, np.uint8), {"mask": mask}))
    assert max(picture.shape[:2]) == SIDE
    assert abs(picture.shape[0] - height * SIDE / max(height, width)) <= 2 and picture.shape[0] % 2 == 0
    assert abs(picture - 200).max() <= 1  # nothing is tinted


def test_where_outputs_agree_pictures_are_the_same():
    task = Segmentation("mask", (8, 8), Preprocessing(), 0.5, 1)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    mask = np.zeros((1, 1, 8, 8), np.float32)
    other = mask.copy()
    other[..., :2] = 1.0
    first, second = (opened(drawn(task, pixels, {"mask": m})) for m in (mask, other))
    half = SIDE // 2
    assert (first[:, half:] == second[:, half:]).all() and (first[:, :half] != second[:, :half]).any()
