from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videoquant.data import frames
from videoquant.errors import DataError


def numbered(index: int) -> np.ndarray:
    """Noise whose first pixel is the image's number."""
    pixels = np.random.default_rng(index).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    pixels[0, 0] = index
    return pixels


def test_a_folder_of_images(tmp_path: Path) -> None:
    for index in (10, 2, 1):
        Image.fromarray(numbered(index)).save(tmp_path / f"frame{index}.png")
    Image.new("RGB", (7, 5)).save(tmp_path / "Frame11.JPG")
    (tmp_path / ".hidden.png").write_text("no image")
    (tmp_path / "labels.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    clip = frames(tmp_path)
    assert (clip.name, clip.size, clip.rate, len(clip)) == (tmp_path.name, (20, 30), 25.0, 4)
    read = list(clip)
    assert [frame.index for frame in read] == [0, 1, 2, 3]
    assert [frame.pixels[0, 0, 0] for frame in read[:3]] == [1, 2, 10]
    assert read[3].pixels.shape == (5, 7, 3)
    assert [frame.index for frame in clip.runs([range(1, 2), range(3, 9)])] == [1, 3]


def test_a_damaged_image_is_named_at_its_turn(tmp_path: Path) -> None:
    Image.fromarray(numbered(1)).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:500])
    iteration = iter(frames(tmp_path))
    assert next(iteration).index == 0
    with pytest.raises(DataError, match=r"2\.png: is damaged or no image$"):
        next(iteration)


@pytest.mark.parametrize(
    ("name", "image", "colour"),
    [
        ("rgb.png", Image.new("RGB", (3, 2), (1, 2, 3)), (1, 2, 3)),
        ("grey.png", Image.new("L", (3, 2), 7), (7, 7, 7)),
        ("bilevel.png", Image.new("1", (3, 2), 1), (255, 255, 255)),
        ("alpha.png", Image.new("RGBA", (3, 2), (1, 2, 3, 0)), (1, 2, 3)),
        ("grey-alpha.png", Image.new("LA", (3, 2), (7, 9)), (7, 7, 7)),
        ("palette.png", Image.new("RGB", (3, 2), (1, 2, 3)).quantize(2), (1, 2, 3)),
        ("deep.png", Image.fromarray(np.full((2, 3), 0x1234, np.uint16)), (0x12, 0x12, 0x12)),
        ("deep.tif", Image.fromarray(np.full((2, 3), 0xFFFF, np.uint16)), (255, 255, 255)),
        ("long.tif", Image.fromarray(np.full((2, 3), 0x1234, np.int32)), (0x12, 0x12, 0x12)),
        ("plain.bmp", Image.new("RGB", (3, 2), (1, 2, 3)), (1, 2, 3)),
        ("plain.ppm", Image.new("RGB", (3, 2), (1, 2, 3)), (1, 2, 3)),
    ],
)
def test_images_of_every_kind_become_rgb(
    tmp_path: Path, name: str, image: Image.Image, colour: tuple[int, ...]
) -> None:
    image.save(tmp_path / name)
    clip = frames(tmp_path / name)
    assert (clip.name, clip.size, len(clip)) == (name, (2, 3), 1)
    (frame,) = clip
    assert frame.pixels.dtype == np.uint8 and frame.pixels.shape == (2, 3, 3)
    assert (frame.pixels == colour).all()
    frame.pixels[0] = 0  # pixels may be drawn on


@pytest.mark.parametrize(
    ("pixels", "message"),
    [(np.ones((2, 3), np.float32), "floating-point"), (np.full((2, 3), -1, np.int32), "32-bit")],
)
def test_pixels_of_unknown_range_are_refused(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    Image.fromarray(pixels).save(tmp_path / "measured.tif")
    with pytest.raises(DataError, match=rf"measured\.tif: has {message} pixels"):
        frames(tmp_path / "measured.tif")


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the picture has to be turned a quarter clockwise
    Image.fromarray(numbered(5)).save(tmp_path / "turned.png", exif=exif)
    (frame,) = frames(tmp_path / "turned.png")
    assert np.array_equal(frame.pixels, np.rot90(numbered(5), -1))


def test_a_real_folder_of_frames(shared_data: Path) -> None:
    clip = frames(shared_data / "camvid" / "val")
    assert (clip.size, len(clip)) == ((360, 480), 101)
