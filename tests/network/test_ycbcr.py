import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from videoquant.network.ycbcr import chroma, luma, rgb

# Black, white, red, green, blue.
COLOURS = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)


def test_luma_of_known_colours():
    assert luma(COLOURS)[0] == pytest.approx([16, 235, 81.481, 144.553, 40.966])


def test_colour_differences_of_known_colours():
    expected = [[128, 128], [128, 128], [90.203, 240], [53.797, 34.214], [240, 109.786]]
    assert chroma(COLOURS)[0] == pytest.approx(np.array(expected), abs=0.002)


@given(arrays(np.uint8, (2, 3, 3), elements=st.integers(0, 255)))
def test_there_and_back(pixels):
    assert np.array_equal(rgb(np.dstack([luma(pixels), chroma(pixels)])), pixels)


def test_luma_is_pillows_in_the_range_of_video():
    """Pillow's L is of the same weights, to three digits, and of the range 0–255."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    full = np.asarray(Image.fromarray(pixels).convert("L")).astype(float)
    assert np.abs(luma(pixels) - (16 + full * 219 / 255)).max() < 1
