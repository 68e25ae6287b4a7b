import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.network.preprocessing import Preprocessing
from videoquant.tasks.super_resolution import PictureAgreement, SuperResolution, psnr


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
    output[0, :, 0, 0] = float("nan")
    assert task.draw(frame, {"out": output}).shape == (4, 6, 3)
