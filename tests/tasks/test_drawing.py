import numpy as np
import pytest

from videoquant.errors import DataError
from videoquant.network.preprocessing import Preprocessing
from videoquant.tasks.drawing import (
    LEFT,
    MIDDLE,
    RIGHT,
    Canvas,
    Window,
    fitted,
    palette,
    tint,
    tint_changed,
    tint_mask,
)

SIZES = [(9, 11), (144, 176), (432, 768), (720, 1280)]


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 128, dtype=np.uint8)


@pytest.mark.parametrize("frame", [(144, 176), (176, 144), (100, 100), (1, 1)])
@pytest.mark.parametrize("size", [(224, 224), (96, 160)])
@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_the_window_is_what_the_network_saw(frame, size, fit):
    window = Window(frame, size, Preprocessing(fit=fit))
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (*frame, 3), dtype=np.uint8)
    part = pixels[window.top : window.top + window.height, window.left : window.left + window.width]
    seen = Preprocessing(fit=fit).prepare(pixels, size)
    assert np.array_equal(seen, Preprocessing(fit="stretch").prepare(part, size))


def test_points_and_maps_land_in_the_window():
    window = Window((80, 160), (40, 40), Preprocessing(fit="crop"))
    assert (window.top, window.left, window.height, window.width) == (5, 45, 70, 70)
    corners = np.array([[0, 0], [40, 40]], dtype=np.float32)
    assert window.points(corners).tolist() == [[45, 5], [115, 75]]
    full = window.map(np.ones((7, 9), np.float32))
    assert full.shape == (80, 160) and full.sum() == 70 * 70
    assert full[5:75, 45:115].min() == 1


def test_what_was_padded_keeps_its_place():
    window = Window((5, 7), (8, 12), Preprocessing(fit="pad"))
    points = np.array([[0, 0], [6.5, 4.5], [11, 7]], np.float32)
    assert np.array_equal(window.points(points), points)
    values = np.arange(96, dtype=np.float32).reshape(8, 12)
    assert np.array_equal(window.map(values), values[:5, :7])
    # A map of half the resolution: its cells are two pixels wide, past the frame's edge too.
    halves = window.map(np.arange(24, dtype=np.float32).reshape(4, 6))
    whole = Window((8, 12), (8, 12), Preprocessing()).map(np.arange(24, dtype=np.float32).reshape(4, 6))
    assert halves.shape == (5, 7) and np.array_equal(halves, whole[:5, :7])
    with pytest.raises(DataError, match=r"^a frame of 9×7 is larger than the input, 8×12; the fit pad never"):
        Window((9, 7), (8, 12), Preprocessing(fit="pad"))


@pytest.mark.parametrize("size", SIZES)
def test_an_empty_canvas_is_the_frame(size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.array_equal(Canvas(pixels).picture(), pixels)


@pytest.mark.parametrize("size", SIZES)
def test_a_bone_is_as_wide_as_the_frame_asks_for(size):
    height, width = size
    canvas = Canvas(grey(*size))
    points = np.array([[width * 0.2, height / 2], [width * 0.8, height / 2]], dtype=np.float32)
    canvas.skeleton(points, [True, True], [(0, 1)], [LEFT, RIGHT])
    column = canvas.picture()[:, width // 2]
    touched = (column != 128).any(axis=-1).sum()
    assert canvas.stroke <= touched <= 2.2 * canvas.stroke + 2
    expected = max(1.25, np.hypot(height, width) / 320)
    assert canvas.stroke == expected


def test_bones_take_the_colour_of_their_side():
    points = np.array([[20, 50], [80, 50], [20, 150], [80, 150]], dtype=np.float32)
    canvas = Canvas(grey(400, 400))
    canvas.skeleton(points, [True] * 4, [(0, 1), (2, 3)], [LEFT, LEFT, LEFT, RIGHT])
    picture = canvas.picture()
    assert tuple(picture[50, 50].tolist()) == LEFT
    assert tuple(picture[150, 50].tolist()) == MIDDLE


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30, 1e4])
@pytest.mark.filterwarnings("error")
def test_points_out_of_reach_are_skipped(bad):
    canvas = Canvas(grey(60, 80))
    canvas.skeleton(np.array([[bad, 3], [10, bad]], np.float32), [True, True], [(0, 1)], [LEFT, LEFT])
    assert (canvas.picture() == 128).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text", ["class 7   93%", "a label that is far too long for a small frame"])
def test_a_label_stays_inside_the_frame(size, text):
    canvas = Canvas(grey(*size))
    canvas.label(text)
    changed = (canvas.picture() != 128).any(axis=-1)
    assert changed.any()
    if min(size) > 100:
        assert not changed[:, -2:].any() and not changed[size[0] // 3 :].any()


def test_a_tint_mixes_by_its_share():
    pixels = np.array([[[0, 100, 200], [0, 100, 200]]], dtype=np.uint8)
    mixed = tint(pixels, np.array([[0, 1]], dtype=np.float32), (100, 200, 0), 0.5)
    assert mixed.tolist() == [[[0, 100, 200], [50, 150, 100]]]


def test_a_mask_of_nothing_or_everything_has_no_border():
    nothing = tint_mask(grey(50, 70), np.zeros((50, 70), dtype=np.float32))
    assert (nothing == 128).all()
    everything = tint_mask(grey(50, 70), np.ones((50, 70), dtype=np.float32))
    assert len(np.unique(everything.reshape(-1, 3), axis=0)) == 1


def test_neighbouring_classes_differ_in_colour():
    colors = palette(21).astype(int)
    assert colors.shape == (21, 3)
    apart = np.abs(colors[:, None] - colors[None]).max(axis=-1) + 1000 * np.eye(21, dtype=int)
    assert apart.min() > 15


def test_where_an_engine_worked_is_tinted_in_the_frame_and_in_a_larger_picture():
    changed = np.zeros((4, 4), np.float32)
    changed[:2, 2:] = 1
    for scale in (1, 3):
        tinted = tint_changed(grey(40 * scale, 40 * scale), changed, (40, 40), Preprocessing())
        assert tinted.shape == (40 * scale, 40 * scale, 3)
        assert (tinted[: 10 * scale, 30 * scale :] != 128).any(-1).all()
        assert (tinted[30 * scale :, : 10 * scale] == 128).all()


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [
        ((48, 64), (0, 48), (0, 64)),  # of the same shape, larger
        ((24, 64), (0, 24), (16, 48)),
        ((64, 32), (20, 44), (0, 32)),
        ((2, 900), (0, 2), (448, 451)),
    ],
)
def test_a_picture_is_fitted_into_another_size(size, rows, columns):
    fitted_picture = fitted(grey(24, 32), size)
    inside = np.zeros(size, bool)
    inside[slice(*rows), slice(*columns)] = True
    assert fitted_picture.shape == (*size, 3) and fitted_picture.dtype == np.uint8
    assert (fitted_picture[inside] == 128).all() and (fitted_picture[~inside] == 0).all()


def test_fitting_keeps_a_picture_of_the_right_size_and_never_loses_a_thin_one():
    picture = grey(24, 32)
    assert fitted(picture, (24, 32)) is picture
    assert (fitted(grey(1, 1000), (48, 64)) == 128).any(-1).sum() == 64
