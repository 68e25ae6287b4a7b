"""Set5, Set14, BSD68 and Vimeo-90K."""

import math
from pathlib import Path

import numpy as np
import pytest

import videoquant as vq
from tests.data.sets.pictures import save
from videoquant.data.targets import Picture
from videoquant.errors import DataError


def picture_of(sample) -> Picture:
    assert isinstance(sample.target, Picture)
    return sample.target


def cubic(x: float) -> float:
    """Keys' kernel for a = −0.5."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def reduce_rows(values: np.ndarray, scale: int) -> np.ndarray:
    """Bicubic reduction of the first axis by the textbook: the kernel is stretched by the scale."""
    rows = []
    for row in range(len(values) // scale):
        centre = (row + 0.5) * scale - 0.5
        near = range(
            max(0, math.ceil(centre - 2 * scale)), min(len(values), math.floor(centre + 2 * scale) + 1)
        )
        weights = np.array([cubic((i - centre) / scale) for i in near])
        rows.append(np.tensordot(weights / weights.sum(), values[list(near)], 1))
    return np.array(rows)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pictures_are_cropped_and_reduced(tmp_path: Path, scale: int):
    pixels = np.random.default_rng(scale).integers(64, 192, (25, 31, 3), np.uint8)
    save(tmp_path / "img_10.png", pixels)
    save(tmp_path / "img_9.png", size=(24, 24))
    data = vq.data.open(f"bsd68:{tmp_path}#x{scale}")
    assert [sample.name for sample in data] == ["img_9", "img_10"] and not data.is_video
    high = picture_of(data[1])
    height, width = 25 // scale * scale, 31 // scale * scale
    assert high.scale == scale and np.array_equal(high.pixels, pixels[:height, :width])
    rows = reduce_rows(high.pixels.astype(float), scale)
    expected = reduce_rows(rows.swapaxes(0, 1), scale).swapaxes(0, 1)
    # Each of the two passes rounds to 8 bits.
    assert np.abs(data[1].pixels - expected).max() <= 1.01


def test_only_originals_are_read_where_reduced_pictures_lie_beside_them(tmp_path: Path):
    for number in (1, 2):
        save(tmp_path / f"img_00{number}_SRF_3_HR.png", value=number, size=(9, 12))
        save(tmp_path / f"img_00{number}_SRF_3_LR.png", value=90, size=(3, 4))
        save(tmp_path / f"img_00{number}_SRF_3_bicubic.png", value=90, size=(9, 12))
    data = vq.data.open(f"set5:{tmp_path}#x3")
    assert [sample.name for sample in data] == ["img_001_SRF_3_HR", "img_002_SRF_3_HR"]
    assert (picture_of(data[1]).pixels == 2).all() and data[1].pixels.shape == (3, 4, 3)
    for file in tmp_path.glob("*_HR.png"):
        file.unlink()
    message = rf"img_001_SRF_3_LR\.png: is a reduced picture, and {tmp_path} holds no originals \*_HR\.png$"
    with pytest.raises(DataError, match=message):
        vq.data.open(f"set5:{tmp_path}#x3")


def test_too_small_for_the_scale(tmp_path: Path):
    file = save(tmp_path / "a.png", size=(3, 9))
    with pytest.raises(DataError, match=rf"^{file}: 3×9 is too small to be reduced by 4$"):
        _ = vq.data.open(f"set5:{tmp_path}#x4")[0].pixels


def test_real_set5_and_set14(shared_data: Path):
    set5 = vq.data.open(f"set5:{shared_data / 'super-resolution/Set5'}")
    assert [sample.name for sample in set5] == ["baby", "bird", "butterfly", "head", "woman"]
    assert set5[0].pixels.shape == (256, 256, 3) and picture_of(set5[0]).pixels.shape == (512, 512, 3)
    set14 = vq.data.open(f"set14:{shared_data / 'super-resolution/Set14'}#x3")
    assert len(set14) == 14
    bridge = next(sample for sample in set14 if sample.name == "bridge")  # grey
    assert picture_of(bridge).pixels.shape == (510, 510, 3) and bridge.pixels.shape == (170, 170, 3)


def write_vimeo(root: Path, names: list[str], listed: str = "test") -> None:
    for number, name in enumerate(names):
        for frame in range(7):
            save(root / "sequences" / name / f"im{frame + 1}.png", value=10 * number + frame, size=(8, 12))
    (root / f"sep_{listed}list.txt").write_text("\n".join(names) + "\n\n")


def test_vimeo90k(tmp_path: Path):
    write_vimeo(tmp_path, ["00001/0266", "00002/0001"])
    data = vq.data.open(f"vimeo90k:{tmp_path}")
    assert (len(data), data.split, data.task) == (14, "test-x4", "super-resolution")
    assert data.clips == {"00001/0266": range(7), "00002/0001": range(7, 14)}
    sample = data[10]
    assert (sample.name, sample.index) == ("00002/0001/im4", 3)
    assert (sample.pixels == 13).all() and sample.pixels.shape == (2, 3, 3)
    assert picture_of(sample).pixels.shape == (8, 12, 3) and picture_of(sample).scale == 4
    assert [s.name for s in data[5:9]] == [f"00001/0266/im{i}" for i in (6, 7)] + [
        f"00002/0001/im{i}" for i in (1, 2)
    ]
    assert data[-1].name == "00002/0001/im7"
    assert vq.data.open(f"vimeo90k:{tmp_path}#test-x2")[0].pixels.shape == (4, 6, 3)
    assert [frame.index for frame in data.clip()][6:9] == [6, 8, 9]
    with pytest.raises(IndexError):
        data[14]


def test_vimeo90k_bad_input(tmp_path: Path):
    write_vimeo(tmp_path, ["00001/0266"])
    with pytest.raises(DataError, match=rf"^{tmp_path}: lacks sep_trainlist\.txt, a part of Vimeo-90K"):
        vq.data.open(f"vimeo90k:{tmp_path}#train-x4")
    data = vq.data.open(f"vimeo90k:{tmp_path}")
    (tmp_path / "sequences/00001/0266/im2.png").unlink()
    with pytest.raises(DataError, match=r"0266/im2\.png: no such file"):
        _ = data[1].pixels
    (tmp_path / "sep_testlist.txt").write_text("00001/0266\n00001\n")
    with pytest.raises(DataError, match=r"testlist\.txt: has the line '00001'; lines are sequences such as"):
        vq.data.open(f"vimeo90k:{tmp_path}")
    (tmp_path / "sep_testlist.txt").write_text("00009/0009\n")
    with pytest.raises(DataError, match=r"sequences: lacks 00009/0009, a part of the list sep_testlist\.txt"):
        vq.data.open(f"vimeo90k:{tmp_path}")
    (tmp_path / "sep_testlist.txt").write_text("")
    with pytest.raises(DataError, match=r"sep_testlist\.txt: is empty$"):
        vq.data.open(f"vimeo90k:{tmp_path}")
