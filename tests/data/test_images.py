from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from videoquant.data import frames
from videoquant.errors import DataError
from videoquant.limits import size_limit


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


ORIENTED = {  # EXIF's orientation, and what undoes it
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: np.rot90(p, 1),
}


@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_every_orientation_of_exif(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(numbered(5)).save(tmp_path / f"plain.{suffix}", quality=100)
    Image.fromarray(numbered(5)).save(tmp_path / f"turned.{suffix}", exif=exif, quality=100)
    (plain,), (frame,) = frames(tmp_path / f"plain.{suffix}"), frames(tmp_path / f"turned.{suffix}")
    assert np.array_equal(frame.pixels, ORIENTED[orientation](plain.pixels))


def several(path: Path, mode: str) -> None:
    first, second = (Image.new("RGB", (3, 2), colour).convert(mode) for colour in ((250, 0, 0), (0, 0, 250)))
    options = {"lossless": True} if path.suffix == ".webp" else {}
    first.save(path, save_all=True, append_images=[second], **options)


@pytest.mark.parametrize(("name", "mode"), [("a.tif", "RGB"), ("a.webp", "RGB"), ("a.png", "RGB")])
def test_of_several_pictures_in_a_file_the_first_is_read(tmp_path: Path, name: str, mode: str) -> None:
    several(tmp_path / name, mode)
    (frame,) = frames(tmp_path / name)
    assert (frame.pixels == (250, 0, 0)).all()


def test_an_animated_gif_is_a_clip(tmp_path: Path) -> None:
    several(tmp_path / "a.gif", "RGB")
    clip = frames(tmp_path / "a.gif")
    assert [tuple(frame.pixels[0, 0]) for frame in clip] == [(250, 0, 0), (0, 0, 250)] and len(clip) == 2


@pytest.mark.filterwarnings("error")
def test_a_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.new("RGB", (3, 2), (1, 2, 3)).quantize(2)
    image.save(tmp_path / "a.png", transparency=bytes([0, 128]))
    (frame,) = frames(tmp_path / "a.png")
    assert (frame.pixels == (1, 2, 3)).all()


def test_cmyk_of_a_printer(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    (frame,) = frames(tmp_path / "a.jpg")
    assert np.abs(frame.pixels.astype(int) - (255, 0, 0)).max() <= 4


def test_colours_are_those_of_the_profile(tmp_path: Path) -> None:
    grey = Image.new("RGB", (8, 8), (200, 30, 60))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey.save(tmp_path / "srgb.png", icc_profile=srgb)
    grey.save(tmp_path / "broken.png", icc_profile=srgb[:100])
    for name in ("srgb.png", "broken.png"):  # to the bit; a broken profile says nothing
        (frame,) = frames(tmp_path / name)
        assert (frame.pixels == (200, 30, 60)).all()
    lab = ImageCms.createProfile("LAB")
    Image.new("L", (8, 8), 90).save(
        tmp_path / "wrong.png", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes()
    )
    (frame,) = frames(tmp_path / "wrong.png")
    assert (frame.pixels == 90).all()


def test_a_picture_is_as_large_as_the_limit_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (2000, 1000)).save(tmp_path / "map.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert frames(tmp_path / "map.png").size == (1000, 2000)
    assert Image.MAX_IMAGE_PIXELS == 1000
    with (
        size_limit(0.001),
        pytest.raises(DataError, match=r"map\.png: 1000×2000 pixels asks for 0\.00559 GiB"),
    ):
        frames(tmp_path / "map.png")


def test_a_real_folder_of_frames(shared_data: Path) -> None:
    clip = frames(shared_data / "camvid" / "val")
    assert (clip.size, len(clip)) == ((360, 480), 101)
