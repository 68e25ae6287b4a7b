"""A decoded frame is shown as it states: matrix, range, pixel shape, and the eight turns and mirrors."""

from fractions import Fraction

import av
import numpy as np
import pytest

from videoquant.network.frames import as_pixels
from videoquant.network.video_frame import square_size, upright_pixels

# Kr and Kb of H.273, table 4, by the number of the matrix.
LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
COLOURS = [(200, 30, 60), (20, 160, 90), (10, 40, 230), (128, 128, 128), (255, 255, 255), (0, 0, 0)]
LIMITED, FULL = 1, 2


def planes(colour, kr, kb, limited, bits=8):
    """Y, Cb and Cr of a colour, by the definition."""
    red, green, blue = (part / 255 for part in colour)
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    if limited:
        return [round(v * 2 ** (bits - 8)) for v in (16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr)]
    top = 2**bits - 1
    return [min(top, round(v)) for v in (top * y, 2 ** (bits - 1) + top * cb, 2 ** (bits - 1) + top * cr)]


def flat(values, matrix, colour_range, size=(16, 16), kind="yuv444p"):
    """A frame of one colour, its planes filled with values."""
    frame = av.VideoFrame(size[1], size[0], kind)
    dtype = "<u2" if kind.endswith("le") else np.uint8
    for plane, value in zip(frame.planes, values, strict=True):
        plane.update(np.full(plane.buffer_size // np.dtype(dtype).itemsize, value, dtype).tobytes())
    frame.colorspace, frame.color_range = matrix, colour_range
    return frame


def distance(frame, colour):
    return np.abs(upright_pixels(frame).astype(int) - colour).max()


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", LUMA)
def test_the_stated_matrix_and_range(matrix, colour_range, colour):
    values = planes(colour, *LUMA[matrix], colour_range == LIMITED)
    for kind in ("yuv444p", "yuv422p", "yuv420p"):
        assert distance(flat(values, matrix, colour_range, kind=kind), colour) <= 3


@pytest.mark.parametrize("colour", COLOURS)
def test_ten_bits(colour):
    values = planes(colour, *LUMA[9], limited=True, bits=10)
    assert distance(flat(values, 9, LIMITED, kind="yuv420p10le"), colour) <= 3


@pytest.mark.parametrize(
    ("size", "matrix"),
    [((480, 854), 6), ((576, 720), 6), ((578, 720), 1), ((720, 1280), 1), ((64, 1280), 1), ((64, 1278), 6)],
)
@pytest.mark.parametrize("stated", [0, 2, 3, 14])  # RGB, unknown, reserved, and one that swscale lacks
def test_without_a_usable_matrix_the_size_decides(size, matrix, stated):
    values = planes(COLOURS[0], *LUMA[matrix], limited=True)
    assert distance(flat(values, stated, 0, size, "yuv420p"), COLOURS[0]) <= 3


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
def test_ycgco(colour, colour_range):
    red, green, blue = colour
    y, cg, co = (red + 2 * green + blue) / 4, (2 * green - red - blue) / 4, (red - blue) / 2
    scale = (219 / 255, 224 / 255) if colour_range == LIMITED else (1, 1)
    start = 16 if colour_range == LIMITED else 0
    values = [round(start + y * scale[0]), *(min(255, round(128 + c * scale[1])) for c in (cg, co))]
    assert distance(flat(values, 8, colour_range), colour) <= 3


@pytest.mark.parametrize(("colour_range", "shown"), [(0, 126), (LIMITED, 128), (FULL, 126)])
def test_grey_is_full_range_unless_it_says_limited(colour_range, shown):
    assert (upright_pixels(flat([126], 2, colour_range, kind="gray")) == shown).all()


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (None, (720, 576)),
        (Fraction(0), (720, 576)),
        (Fraction(1), (720, 576)),
        (Fraction(16, 15), (768, 576)),
        (Fraction(64, 45), (1024, 576)),
        (Fraction(8, 9), (720, 648)),
        (Fraction(1, 2), (720, 1152)),
        (Fraction(1000), (720, 576)),
        (Fraction(1, 1000), (720, 576)),
    ],
)
def test_pixels_are_made_square_by_enlarging(aspect, size):
    assert square_size(720, 576, aspect) == size
    pixels = upright_pixels(flat(planes(COLOURS[0], *LUMA[5], True), 5, LIMITED, (576, 720)), aspect)
    assert pixels.shape == (size[1], size[0], 3)


def turned(matrix):
    """A frame whose display matrix is (a, b, c, d), read from a film: PyAV cannot set it on a frame."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    with av.open("film.mov", "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 8, 6, "rgb24"
        a, b, c, d = (value << 16 for value in matrix)
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    with av.open("film.mov") as container:
        (frame,) = container.decode(video=0)
    return frame, pixels


@pytest.mark.parametrize(
    "matrix",
    [(a, 0, 0, d) for a in (1, -1) for d in (1, -1)] + [(0, b, c, 0) for b in (1, -1) for c in (1, -1)],
)
def test_every_turn_and_mirror(matrix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame, pixels = turned(matrix)
    a, b, c, d = matrix
    y, x = np.mgrid[:6, :8]
    right, down = a * x + c * y, b * x + d * y
    expected = np.zeros((np.ptp(down) + 1, np.ptp(right) + 1, 3), np.uint8)
    expected[down - down.min(), right - right.min()] = pixels
    assert np.array_equal(as_pixels(frame), expected)
