from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import videoquant as vq
from videoquant.data import DATASETS, Clip, Dataset
from videoquant.errors import DataError


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "some:folder#1"  # neither sign misleads
    folder.mkdir()
    Image.fromarray(np.zeros((9, 7, 3), np.uint8)).save(folder / "a.png")
    return folder


def test_names_splits_and_paths(pictures: Path):
    data = vq.data.open(f"set5:{pictures}")
    assert isinstance(data, Dataset) and (data.name, data.split, data.splits) == (
        "set5",
        "x2",
        ("x2", "x3", "x4"),
    )
    assert vq.data.open(f"set14:{pictures}#x3").split == "x3"
    for path in (pictures, str(pictures), pictures / "a.png"):
        clip = vq.data.open(path)
        assert isinstance(clip, Clip) and len(clip) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("set5:{}#x9", "set5:{} has no split 'x9'; there are x2, x3, x4"),
        ("set5:{}/none", "set5:{0}/none: {0}/none is not a folder; give set5:PATH or set5:PATH#SPLIT"),
        ("camvid:", "camvid:: . is not a folder; give camvid:PATH or camvid:PATH#SPLIT"),
        (
            "camwid:{}",
            f"camwid:{{}}: no such file, and no data set 'camwid'; there are {', '.join(DATASETS)}",
        ),
        ("{}/none", "{}/none: no such file or folder"),
    ],
)
def test_bad_text_is_named(pictures: Path, text: str, message: str):
    with pytest.raises(DataError) as error:
        vq.data.open(text.format(pictures))
    assert str(error.value) == message.format(pictures)


@pytest.mark.parametrize(
    "name", [name for name in DATASETS if name not in ("set5", "set14", "bsd68", "yolo")]
)
def test_an_empty_folder_lacks_a_part(tmp_path: Path, name: str):
    with pytest.raises(DataError, match=rf"^{tmp_path}.*(lacks|holds no)") as error:
        vq.data.open(f"{name}:{tmp_path}")
    assert "\n" not in str(error.value)
