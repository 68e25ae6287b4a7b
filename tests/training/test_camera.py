"""Clips that a moving camera takes of a still."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoquant.training.camera import NOISE, Camera, film, noisy

STILL = ((0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0))


def picture(height=30, width=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_a_camera_at_rest_takes_the_crop_again_and_again():
    pixels = picture()
    maps = Camera((20, 15), STILL).maps((10, 16), 4)
    clip = film(pixels, maps, (10, 16), 0, smooth=True)
    assert clip.shape == (4, 10, 16, 3) and all(np.array_equal(frame, pixels[10:20, 12:28]) for frame in clip)


def test_a_steady_pan_moves_the_picture_by_its_speed():
    pixels = picture()
    pan = (2.0, -1.0, 0.0, 0.0)
    clip = film(pixels, Camera((20, 15), (pan, pan)).maps((10, 16), 4), (10, 16), 0, smooth=True)
    for t in range(4):
        assert np.array_equal(clip[t], pixels[10 - t : 20 - t, 12 + 2 * t : 28 + 2 * t])


def test_a_speed_that_changes_does_so_evenly():
    camera = Camera((50, 50), ((1.0, 0, 0, 0), (3.0, 0, 0, 0)))
    places = [m[2] for m in camera.maps((10, 10), 4)]
    assert np.allclose(np.diff(places), [1, 2, 3])


def test_zoom_and_turn_keep_the_middle():
    camera = Camera((20, 15), ((0, 0, 0.1, 0.05), (0, 0, 0.1, 0.05)))
    for a, b, c, d, e, f in camera.maps((10, 16), 5):
        assert np.allclose((a * 8 + b * 5 + c, d * 8 + e * 5 + f), (20, 15))
        assert np.isclose(a * e - b * d, np.hypot(a, d) ** 2)  # a similarity: nothing is sheared


def test_zooming_in_shows_a_smaller_part():
    camera = Camera((20, 15), ((0, 0, 0.2, 0), (0, 0, 0.2, 0)))
    widths = [16 * m[0] for m in camera.maps((10, 16), 3)]
    assert np.allclose(widths, [16, 16 * np.exp(-0.2), 16 * np.exp(-0.4)])


@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_labels_move_with_the_picture(seed, frames):
    """What is bright is labelled 1: in every frame the two agree away from borders."""
    random = np.random.default_rng(seed)
    labels = np.zeros((60, 80), np.uint8)
    labels[20:45, 25:60] = 1
    pixels = np.repeat(labels[..., None] * np.uint8(255), 3, 2)
    maps = Camera.draw(random, labels.shape, (40, 48)).maps((40, 48), frames)
    clip, mapped = film(pixels, maps, (40, 48), 0, smooth=True), film(labels, maps, (40, 48), 0, smooth=False)
    sure = (clip[..., 0] < 20) | (clip[..., 0] > 235)
    assert ((clip[..., 0] > 127) == (mapped == 1))[sure].all()


@given(st.integers(0, 2**32 - 1))
def test_the_first_frame_is_a_crop_of_a_picture_that_has_room_for_it(seed):
    camera = Camera.draw(np.random.default_rng(seed), (60, 80), (40, 48))
    pixels = picture(60, 80)
    (frame,) = film(pixels, camera.maps((40, 48), 1), (40, 48), 7, smooth=True)
    top, left = int(camera.centre[1] - 20), int(camera.centre[0] - 24)
    assert np.array_equal(frame, pixels[top : top + 40, left : left + 48])


def test_outside_stands_the_filling():
    maps = Camera((0, 15), STILL).maps((10, 16), 1)
    assert (film(np.ones((30, 40), np.uint8), maps, (10, 16), 11, smooth=False)[0, :, :8] == 11).all()


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_another_in_every_frame_and_of_the_drawn_strength(seed):
    clip = np.full((2, 50, 50, 3), 128, np.uint8)
    out = noisy(clip, np.random.default_rng(seed))
    assert out.dtype == np.uint8 and not np.array_equal(out[0], out[1])
    assert out.astype(float).std() < NOISE + 0.5
    again = noisy(clip, np.random.default_rng(seed))
    assert np.array_equal(out, again)
