"""Windows, cuts and colours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoquant.training.augmentation import Window, cut, jittered, resized

SIDES = st.integers(1, 40)


@given(st.integers(0, 2**32 - 1), SIDES, SIDES, SIDES, SIDES)
def test_a_window_lies_in_the_picture_or_holds_all_of_it(seed, height, width, crop_height, crop_width):
    window = Window.draw(
        np.random.default_rng(seed), (height, width, 3), (crop_height, crop_width), (0.5, 2.0)
    )
    for start, length, side in ((window.top, window.height, height), (window.left, window.width, width)):
        assert start + length <= side if length <= side else start == 0
    for length, side in ((window.height, crop_height), (window.width, crop_width)):
        assert side / 2 - 1 <= length <= 2 * side + 1


def test_without_a_scale_a_cut_is_the_picture_itself():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)
    window = Window(3, 2, 6, 5)
    assert np.array_equal(cut(pixels, window, (6, 5), 0, smooth=True), pixels[3:9, 2:7])


def test_outside_the_picture_stands_the_filling():
    labels = np.ones((4, 4), np.uint8)
    out = cut(labels, Window(0, 0, 8, 6), (8, 6), 11, smooth=False)
    assert (out[:4, :4] == 1).all() and (out[4:] == 11).all() and (out[:, 4:] == 11).all()


def test_picture_and_labels_stay_together():
    """A bright square whose labels are its shape: after scaling by 2 they still agree, but for its border."""
    labels = np.zeros((40, 40), np.uint8)
    labels[10:30, 10:30] = 1
    pixels = np.repeat(labels[..., None] * np.uint8(255), 3, 2)
    window = Window(5, 5, 20, 20)
    picture = cut(pixels, window, (40, 40), 0, smooth=True)
    scaled = cut(labels, window, (40, 40), 0, smooth=False)
    inner = np.ones((40, 40), bool)
    inner[8:12], inner[:, 8:12] = False, False
    assert ((picture[..., 0] > 127) == (scaled == 1))[inner].all()


def test_nearest_labels_are_labels():
    labels = np.random.default_rng(0).choice([0, 5, 11], (30, 30)).astype(np.uint8)
    assert set(np.unique(cut(labels, Window(0, 0, 17, 23), (40, 11), 11, smooth=False))) <= {0, 5, 11}


@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_colours_change_with_the_jitter(jitter):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    out = jittered(pixels, np.random.default_rng(1), jitter)
    assert out.shape == pixels.shape and out.dtype == np.uint8
    assert np.array_equal(out, pixels) == (jitter == 0)


@given(st.integers(0, 2**32 - 1))
def test_a_picture_and_its_labels_are_resized_alike(seed):
    labels = np.zeros((40, 60), np.uint8)
    labels[10:30, 20:50] = 1
    pixels = np.repeat(labels[..., None] * np.uint8(255), 3, 2)
    picture, mapped = resized(pixels, labels, np.random.default_rng(seed), (0.6, 1.5))
    assert picture.shape[:2] == mapped.shape and 24 <= len(mapped) <= 60
    assert abs(mapped.mean() - labels.mean()) < 0.05
    sure = (picture[..., 0] < 20) | (picture[..., 0] > 235)
    assert ((picture[..., 0] > 127) == (mapped == 1))[sure].all()
