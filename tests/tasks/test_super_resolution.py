import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from videoquant.network.preprocessing import Preprocessing
from videoquant.network.ycbcr import luma
from videoquant.tasks.agreement import PictureAgreement, psnr
from videoquant.tasks.super_resolution import SuperResolution


def picture(value: float) -> dict[str, torch.Tensor]:
    return {"out": torch.full((1, 3, 4, 6), value)}


def test_psnr_of_an_even_difference():
    update = PictureAgreement("out", Preprocessing()).update(picture(0.5), picture(0.6))
    assert update["psnr"] == pytest.approx(20, abs=1e-4)


def test_colours_are_clipped_before_they_are_compared():
    assert PictureAgreement("out", Preprocessing()).update(picture(1.0), picture(7.0)) == {"psnr": 100}
    assert PictureAgreement("out", Preprocessing()).update(picture(-9.0), picture(0.0)) == {"psnr": 100}
    assert PictureAgreement("out", Preprocessing()).update(picture(-9.0), picture(9.0)) == {"psnr": 0}


def test_the_units_are_those_of_the_input():
    half = Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3)  # −1..1
    assert PictureAgreement("out", half).update(picture(0.0), picture(0.2))["psnr"] == pytest.approx(
        20, abs=1e-4
    )
    bytes_ = Preprocessing(scale=1.0)  # 0..255
    update = PictureAgreement("out", bytes_).update(picture(100.0), picture(125.5))
    assert update["psnr"] == pytest.approx(20, abs=1e-4)


def test_the_stream_pools_the_error_not_the_decibels():
    agreement = PictureAgreement("out", Preprocessing())
    frames = [agreement.update(picture(0.5), picture(v))["psnr"] for v in (0.5, 0.6, 0.8)]
    assert frames == pytest.approx([100, 20, 10.4576], abs=1e-3)
    assert agreement.result()["psnr"] == pytest.approx(-10 * math.log10((0 + 0.01 + 0.09) / 3), abs=1e-4)


@given(st.floats(0, 1))
def test_psnr_stays_between_zero_and_its_cap(error):
    assert 0 <= psnr(error) <= 100
    assert psnr(0.0) == psnr(1e-30) == 100
    assert psnr(1.0) == 0


def test_drawing_gives_the_upscaled_picture():
    preprocessing = Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3)
    task = SuperResolution("out", (2, 3), preprocessing)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    output = preprocessing.prepare(pixels, (4, 6))
    frame = np.zeros((2, 3, 3), dtype=np.uint8)
    assert np.array_equal(task.draw(frame, {"out": output}), pixels)
    output[0, 1, 0, 0] = float("nan")
    picture = task.draw(frame, {"out": output})
    assert not picture[0, 0].any() and np.array_equal(picture[1:], pixels[1:])


LUMA = Preprocessing((0.0,), (1.0,), color="Y", fit="pad")


def test_luma_agrees_by_its_own_255():
    outputs = [{"out": torch.full((1, 1, 4, 6), value)} for value in (0.5, 0.6)]
    assert PictureAgreement("out", LUMA).update(*outputs)["psnr"] == pytest.approx(20, abs=1e-4)


def test_drawing_luma_takes_the_colours_of_the_frame():
    task = SuperResolution("out", (8, 8), LUMA)
    rows, columns = np.mgrid[:16, :20].astype(np.float32)
    target = np.stack([60 + 5 * rows, 200 - 4 * columns, 80 + 3 * rows + 2 * columns], -1).astype(np.uint8)
    target = target[:12, :14]
    frame = np.array(Image.fromarray(target).resize((7, 6), Image.Resampling.BICUBIC))
    output = torch.zeros(1, 1, 16, 16)
    output[0, 0, :12, :14] = torch.from_numpy(luma(target)) / 255
    picture = task.draw(frame, {"out": output})
    assert picture.shape == target.shape and picture.dtype == np.uint8
    # Smooth colours: what is lost is the rounding of Y and a little at the borders.
    assert np.abs(picture.astype(int) - target)[2:-2, 2:-2].max() <= 3
    assert np.abs(luma(picture) - luma(target)).max() < 1.5
    output[0, 0, 3, 4] = float("inf")
    assert not task.draw(frame, {"out": output})[3, 4].any()


def test_what_was_padded_is_cut_off_in_colour_too():
    preprocessing = Preprocessing(fit="pad")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    output = preprocessing.prepare(pixels, (8, 8)).repeat(2, -1).repeat(2, -2)
    picture = SuperResolution("out", (8, 8), preprocessing).draw(pixels, {"out": output})
    assert np.array_equal(picture, pixels.repeat(2, 0).repeat(2, 1))
