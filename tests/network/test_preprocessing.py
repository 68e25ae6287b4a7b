import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from videoquant.errors import DataError, NetworkError
from videoquant.network.preprocessing import Preprocessing
from videoquant.network.ycbcr import luma

LUMA = Preprocessing((0.0,), (1.0,), color="Y", fit="pad")
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_luma_is_one_channel():
    x = LUMA.prepare(PIXELS, (5, 7))
    assert x.shape == (1, 1, 5, 7) and x.dtype == torch.float32
    assert x[0, 0].numpy() == pytest.approx(luma(PIXELS) / 255, abs=1e-6)
    centred = Preprocessing((0.5,), (0.25,), color="Y").prepare(PIXELS, (5, 7))
    assert centred[0, 0].numpy() == pytest.approx((luma(PIXELS) / 255 - 0.5) / 0.25, abs=1e-5)


def test_luma_is_resized_and_cropped_as_colours_are():
    y, rgb = (
        Preprocessing((0.0,) * n, (1.0,) * n, color=color, fit="crop", scale=1.0).prepare(PIXELS, (3, 4))
        for n, color in ((1, "Y"), (3, "RGB"))
    )
    assert y.shape == (1, 1, 3, 4)
    # Colours are rounded to 8 bits when they are resized, luma is not.
    expected = luma(rgb[0].permute(1, 2, 0).numpy())
    assert np.abs(y[0, 0].numpy() - expected).max() <= 0.5


@given(arrays(np.uint8, (3, 4, 3), elements=st.integers(0, 255)), st.integers(3, 12), st.integers(4, 12))
def test_padding_repeats_the_last_row_and_column(pixels, height, width):
    repeated = np.pad(pixels, ((0, height - 3), (0, width - 4), (0, 0)), mode="edge")
    for plain in (Preprocessing(), Preprocessing(color="BGR"), Preprocessing((0.0,), (1.0,), color="Y")):
        padded = Preprocessing(plain.mean, plain.std, color=plain.color, fit="pad")
        assert torch.equal(padded.prepare(pixels, (height, width)), plain.prepare(repeated, (height, width)))


@pytest.mark.parametrize("size", [(4, 7), (5, 6), (4, 6)])
def test_a_frame_larger_than_the_input_is_not_padded(size):
    with pytest.raises(DataError) as error:
        LUMA.prepare(PIXELS, size)
    assert str(error.value) == (
        f"a frame of 5×7 is larger than the input, {size[0]}×{size[1]}; the fit pad never resizes: capture "
        "the network at a larger size, or set fit to stretch"
    )


def test_restoring_is_the_inverse():
    for preprocessing in (Preprocessing((0.4,) * 3, (0.2,) * 3), Preprocessing(color="BGR")):
        assert np.array_equal(preprocessing.restore(preprocessing.prepare(PIXELS, (5, 7))), PIXELS)
    restored = LUMA.restore(LUMA.prepare(PIXELS, (5, 7)))
    assert restored.dtype == np.uint8 and np.array_equal(restored, luma(PIXELS).round())


def test_text_and_metadata():
    given = Preprocessing.from_metadata({"color": "y", "fit": "PAD", "task": "super-resolution"})
    assert given == Preprocessing((0.0,), (1.0,), color="Y", fit="pad", task="super-resolution")
    assert Preprocessing((0.5,) * 3, (0.2,) * 3).with_text({"color": "Y"}).mean == (0.5,)
    assert Preprocessing().with_text({"color": "Y", "mean": "0.5", "std": "0.25"}).std == (0.25,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"color": "CMYK"}, "preprocessing: color is 'CMYK'; it must be RGB, BGR or Y"),
        ({"fit": "wide"}, "preprocessing: fit is 'wide'; it must be stretch, crop or pad"),
        (
            {"color": "Y", "mean": "0.1,0.2,0.3", "std": "1,2,3"},
            "preprocessing: mean has 3 values; luma (Y) has one channel",
        ),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(NetworkError) as error:
        Preprocessing().with_text(given)
    assert str(error.value) == message
