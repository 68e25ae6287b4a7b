import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from videoquant.errors import DataError, NetworkError
from videoquant.network.input_arrays import prepare
from videoquant.network.preprocessing import Preprocessing
from videoquant.network.ycbcr import luma

LUMA = Preprocessing((0.0,), (1.0,), color="Y", fit="pad")
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_luma_is_one_channel():
    x = LUMA.prepare(PIXELS, (5, 7))
    assert x.shape == (1, 1, 5, 7) and x.dtype == np.float32
    assert x[0, 0] == pytest.approx(luma(PIXELS) / 255, abs=1e-6)
    centred = Preprocessing((0.5,), (0.25,), color="Y").prepare(PIXELS, (5, 7))
    assert centred[0, 0] == pytest.approx((luma(PIXELS) / 255 - 0.5) / 0.25, abs=1e-5)


def test_luma_is_resized_and_cropped_as_colours_are():
    y, rgb = (
        Preprocessing((0.0,) * n, (1.0,) * n, color=color, fit="crop", scale=1.0).prepare(PIXELS, (3, 4))
        for n, color in ((1, "Y"), (3, "RGB"))
    )
    assert y.shape == (1, 1, 3, 4)
    # Colours are rounded to 8 bits when they are resized, luma is not.
    expected = luma(rgb[0].transpose(1, 2, 0))
    assert np.abs(y[0, 0] - expected).max() <= 0.5


@given(arrays(np.uint8, (3, 4, 3), elements=st.integers(0, 255)), st.integers(3, 12), st.integers(4, 12))
def test_padding_repeats_the_last_row_and_column(pixels, height, width):
    repeated = np.pad(pixels, ((0, height - 3), (0, width - 4), (0, 0)), mode="edge")
    for plain in (Preprocessing(), Preprocessing(color="BGR"), Preprocessing((0.0,), (1.0,), color="Y")):
        padded = Preprocessing(plain.mean, plain.std, color=plain.color, fit="pad")
        size = (height, width)
        assert np.array_equal(padded.prepare(pixels, size), plain.prepare(repeated, size))


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


@pytest.mark.parametrize("text", ["0.5,0.25,1", "[0.5, 0.25, 1]", "(0.5 0.25 1e0)", "[1/2,\n1/4, 1/1]"])
def test_lists_are_read_as_other_tools_write_them(text):
    given = Preprocessing.from_metadata({"mean": text, "std": f"[{text}]", "scale": "[1]"})
    assert given == Preprocessing((0.5, 0.25, 1.0), (0.5, 0.25, 1.0), 1.0)


def test_one_number_is_that_of_every_channel():
    assert Preprocessing.from_metadata({"mean": "127.5", "std": "[58]"}).mean == (127.5,) * 3


@pytest.mark.parametrize("task", ["detect", "segment", "", "  "])
def test_other_tools_tasks_and_empty_fields_are_unknown(task):
    empty = dict.fromkeys(("mean", "std", "scale", "color", "fit"), " ")
    assert Preprocessing.from_metadata({**empty, "task": task}) == Preprocessing()


def test_a_picture_of_other_channels_than_the_input_is_refused():
    with pytest.raises(
        DataError, match="grey: its input has 1 channels, a picture in RGB 3; the color of one"
    ):
        prepare(PIXELS, Preprocessing(), (1, 1, 5, 7), "grey")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"std": "nan,1,1"}, "preprocessing: mean, std and scale must be finite"),
        ({"scale": "1e400"}, "preprocessing: mean, std and scale must be finite"),
        ({"scale": "[1, 2]"}, "preprocessing: scale holds '[1, 2]'; it must be one number"),
        ({"mean": "[a]"}, "preprocessing: mean holds 'a', which is no number"),
        ({"color": "CMYK"}, "preprocessing: color is 'CMYK'; it must be RGB, BGR or Y"),
        ({"fit": "wide"}, "preprocessing: fit is 'wide'; it must be stretch, crop, pad or letterbox"),
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


def test_one_mean_and_one_std_stand_for_every_channel():
    pixels = np.random.default_rng(2).integers(0, 256, (8, 6, 3), np.uint8)
    one, each = (Preprocessing(mean=(0.4,) * n, std=(0.25,) * n) for n in (1, 3))
    assert np.array_equal(one.prepare(pixels, (8, 6)), each.prepare(pixels, (8, 6)))


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(),
        Preprocessing(scale=1.0),
        Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        Preprocessing((103.53, 116.28, 123.675), (57.375, 57.12, 58.395), 1.0, "BGR"),
        Preprocessing((0.5,) * 3, (-0.5,) * 3),
        Preprocessing((127.5,), (128.0,), 1.0),
    ],
)
def test_levels_are_the_bytes_that_the_input_was_made_of(preprocessing):
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    every[..., 1], every[..., 2] = every[..., 0].T, every[::-1, :, 0]
    levels = preprocessing.levels(preprocessing.prepare(every, (16, 16)))
    assert np.array_equal(levels[0], preprocessing.picture(every, (16, 16)))
    assert np.array_equal(levels[0], every[..., ::-1] if preprocessing.color == "BGR" else every)


@given(
    arrays(np.uint8, (7, 6, 3)), st.sampled_from(["RGB", "BGR", "Y"]), st.sampled_from(["stretch", "crop"])
)
def test_the_picture_of_a_frame_is_what_its_input_stands_for(pixels, color, fit):
    numbers = (0.4,) * (1 if color == "Y" else 3)
    preprocessing = Preprocessing(numbers, numbers, color=color, fit=fit)
    picture = preprocessing.picture(pixels, (5, 9))
    assert picture.shape == (5, 9, preprocessing.channels) and picture.dtype == np.uint8
    assert np.array_equal(preprocessing.levels(preprocessing.prepare(pixels, (5, 9)))[0], picture)


@given(arrays(np.float32, (2, 3, 5, 7), elements=st.floats(-9, 9, width=32)), st.integers(0, 2**32))
def test_levels_are_divided_and_rounded_in_float64(x, seed):
    mean, std = np.random.default_rng(seed).uniform(0.1, 0.9, (2, 3))
    preprocessing = Preprocessing(tuple(mean), tuple(std))
    gain, offset = (numbers.astype(np.float64) for numbers in preprocessing.line())
    wanted = np.rint((x.transpose(0, 2, 3, 1) - offset) / gain).clip(0, 255)
    assert np.array_equal(preprocessing.levels(x), wanted)
    one = Preprocessing((mean[0],), (std[0],), color="Y").levels(x[:, :1])
    assert np.array_equal(one, wanted[..., :1])


def test_levels_of_inputs_made_by_hand():
    x = np.array([-1e30, -0.1, 0.0, 0.4, 1.0, 7.0], np.float32).reshape(1, 1, 1, 6)
    assert Preprocessing().levels(x).ravel().tolist() == [0, 0, 0, 102, 255, 255]
    assert Preprocessing().levels(x.repeat(5, 1)).shape == (1, 1, 6, 5)
