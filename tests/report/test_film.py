"""The film holds every picture at its place, keeps to its size, and is the same for the same pictures."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from PIL import Image

from videoquant.comparison import Row
from videoquant.report.film import film


def row(levels: list[int], size: tuple[int, int] = (64, 48)) -> Row:
    """Flat pictures of these grey levels."""
    pictures = []
    for level in levels:
        file = io.BytesIO()
        Image.new("RGB", size, (level, level, level)).save(file, "JPEG", quality=95)
        pictures.append(file.getvalue())
    return Row("w8a8", pictures=pictures)


def levels_of(data: bytes) -> list[float]:
    with av.open(io.BytesIO(data)) as container:
        return [float(frame.to_ndarray(format="rgb24").mean()) for frame in container.decode(video=0)]


def test_frames_stand_under_every_scheme_in_turn() -> None:
    made = film([row([20, 120, 220]), row([60, 160, 250])])
    assert (made.places, made.size, made.pictures) == ([0, 1, 2], (64, 48), 3)
    assert levels_of(made.data) == pytest.approx([20, 60, 120, 160, 220, 250], abs=3)


def test_equal_pictures_cost_almost_nothing_and_give_the_same_bytes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG")
    rows = [Row("w8a8", pictures=[file.getvalue()] * 4) for _ in range(8)]
    made = film(rows)
    assert made.data == film(rows).data
    assert len(made.data) < 3 * len(film(rows[:1]).data)


def test_what_is_too_large_keeps_every_second_frame_and_at_least_one() -> None:
    rows = [row([10 * i for i in range(9)])]
    assert film(rows, most=1).places == [7]
    whole = len(film(rows).data)
    assert film(rows, most=whole - 1).places == [1, 3, 5, 7]
    assert film([row([5])], most=1).places == [0]


def test_no_pictures_no_film_and_another_shape_is_fitted() -> None:
    assert film([]).data == film([Row("w8a8")]).data == b""
    made = film([row([200]), row([200], (48, 64))])
    assert made.size == (64, 48)
    with av.open(io.BytesIO(made.data)) as container:
        second = list(container.decode(video=0))[1].to_ndarray(format="rgb24")
    assert second[24, 32].mean() > 180 and second[24, 2].mean() < 30  # in the middle, black beside it
