"""Whatever happens to a file of a data set, one clear line names it; nothing else ever comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import videoquant as vq
from tests.data.sets.pictures import save
from tests.data.sets.test_face_sets import cofw_example, write_300w, write_cofw, write_wflw
from tests.data.sets.test_imagenet_set import development_kit
from tests.data.sets.test_jhmdb_set import write_video
from tests.data.sets.test_segmentation_sets import camvid, cityscapes
from tests.data.sets.test_super_resolution_sets import write_vimeo
from videoquant.data import Dataset
from videoquant.errors import DataError


def jhmdb(root: Path) -> None:
    write_video(root, "catch", "a", 2)
    (root / "splits").mkdir()
    (root / "splits/catch_test_split1.txt").write_text("a.avi 2\n")


def imagenet(root: Path) -> None:
    development_kit(root, [7])
    save(root / "val/ILSVRC2012_val_00000001.JPEG", size=(40, 40))


def w300(root: Path) -> None:
    for folder in ("helen/testset", "lfpw/testset", "ibug"):
        write_300w(root, folder, "face")


def cofw(root: Path) -> None:
    pictures, phis = cofw_example()
    write_cofw(root / "COFW_test_color.mat", "T", pictures, phis)


def set5(root: Path) -> None:
    save(root / "baby.png", np.random.default_rng(0).integers(0, 256, (20, 20, 3)))


# A whole data set of each kind, as small as its layout allows.
WRITERS: dict[str, Callable[[Path], object]] = {
    "camvid": lambda root: camvid(root, ["a_1", "a_3"]),
    "cityscapes": cityscapes,
    "cityscapes-sequence": cityscapes,
    "imagenet": imagenet,
    "jhmdb": jhmdb,
    "cofw": cofw,
    "wflw": lambda root: write_wflw(root, ["a.png", "b.png"]),
    "300w": w300,
    "vimeo90k": lambda root: write_vimeo(root, ["00001/0001"]),
    "set5": set5,
}

HARM: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda content: None,
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "other": lambda content: b"\xff\xfe no file of this kind \x00" * 40,
    "overwritten": lambda content: content[: len(content) // 3] + bytes(len(content) - len(content) // 3),
}


def read_all(text: str) -> None:
    data = vq.data.open(text)
    assert isinstance(data, Dataset)
    for sample in data:
        assert sample.pixels.ndim == 3
        assert (sample.target is not None) == sample.is_labelled


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("name", WRITERS)
def test_a_harmed_file_is_named_in_one_line(tmp_path: Path, name: str, harm: str) -> None:
    WRITERS[name](tmp_path)
    read_all(f"{name}:{tmp_path}")
    refused = 0
    for file in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        content = file.read_bytes()
        harmed = HARM[harm](content)
        file.unlink()
        if harmed is not None:
            file.write_bytes(harmed)
        try:
            read_all(f"{name}:{tmp_path}")
        except DataError as error:
            refused += 1
            message = str(error)
            assert "\n" not in message, file
            # The file is named, or, where nothing says that it was ever there, a folder that lacks something.
            folder = Path(message.partition(": ")[0])
            assert file.stem in message or (harm == "missing" and folder in file.parents), message
        file.write_bytes(content)
    assert refused


def remove(root: Path, pattern: str) -> None:
    for file in root.glob(pattern):
        file.unlink()


# What leaves the folders of a split in their place and nothing in them.
EMPTY: dict[str, Callable[[Path], object]] = {
    "camvid": lambda root: remove(root, "val*/*"),
    "cityscapes": lambda root: remove(root, "gtFine/val/*/*"),
    "cityscapes-sequence": lambda root: remove(root, "gtFine/val/*/*"),
    "imagenet": lambda root: remove(root, "val/*"),
    "jhmdb": lambda root: (root / "splits/catch_test_split1.txt").write_text("a.avi 1\n"),
    "cofw": lambda root: write_cofw(root / "COFW_test_color.mat", "T", [], np.zeros((0, 87))),
    "wflw": lambda root: next(root.glob("WFLW_annotations/*/*_test.txt")).write_text("\n"),
    "300w": lambda root: remove(root, "ibug/*"),
    "vimeo90k": lambda root: (root / "sep_testlist.txt").write_text("\n"),
    "set5": lambda root: remove(root, "*"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_an_empty_split_is_refused_with_its_place(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path)
    EMPTY[name](tmp_path)
    with pytest.raises(DataError, match=rf"^{tmp_path}\S*: (holds no |is empty|no \S+ lists )") as error:
        vq.data.open(f"{name}:{tmp_path}")
    assert "\n" not in str(error.value)


def test_cofw_with_its_points_in_one_dimension(tmp_path: Path) -> None:
    pictures, phis = cofw_example()
    write_cofw(tmp_path / "COFW_test_color.mat", "T", pictures, phis.flatten())
    with pytest.raises(DataError, match=r"phisT is 174; it should be 2×87, as there are 2 pictures$"):
        vq.data.open(f"cofw:{tmp_path}")
