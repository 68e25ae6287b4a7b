"""COFW, WFLW and 300W."""

import sys
from pathlib import Path

import numpy as np
import pytest

import videoquant as vq
from tests.data.sets.pictures import save
from videoquant.data.targets import Landmarks
from videoquant.errors import DataError


def landmarks_of(text: str, index: int = 0) -> Landmarks:
    target = vq.data.open(text)[index].target
    assert isinstance(target, Landmarks)
    return target


WFLW_LIST = Path("WFLW_annotations/list_98pt_rect_attr_train_test")


def write_wflw(root: Path, names: list[str], split: str = "test") -> None:
    (root / WFLW_LIST).mkdir(parents=True, exist_ok=True)
    rows = []
    for face, name in enumerate(names):
        points = " ".join(f"{face + i + 0.25:.6f} {2 * i:.6f}" for i in range(98))
        rows.append(f"{points} 1 2 30 40 0 0 1 0 0 1 {name}\n")
        save(root / "WFLW_images" / name, value=face)
    (root / WFLW_LIST / f"list_98pt_rect_attr_{split}.txt").write_text("".join(rows))


def test_wflw(tmp_path: Path):
    write_wflw(tmp_path, ["0--Parade/a.png", "0--Parade/b.png", "0--Parade/a.png"])
    data = vq.data.open(f"wflw:{tmp_path}")
    assert (data.task, data.split, data.splits, len(data)) == ("landmarks", "test", ("train", "test"), 3)
    assert len({sample.name for sample in data}) == 3 and not data.is_video
    assert (data[1].pixels == 1).all()
    target = landmarks_of(f"wflw:{tmp_path}", 1)
    assert target.points.dtype == np.float32
    assert target.points.tolist() == [[1 + i + 0.25, 2 * i] for i in range(98)]
    assert target.eyes == (60, 72) and target.inter_ocular == pytest.approx(np.hypot(12, 24))
    assert target.visible.all()


def test_wflw_bad_input(tmp_path: Path):
    write_wflw(tmp_path, ["a.png", "b.png"])
    with pytest.raises(DataError, match=r"lacks WFLW_annotations/.*list_98pt_rect_attr_train\.txt, a part"):
        vq.data.open(f"wflw:{tmp_path}#train")
    file = tmp_path / WFLW_LIST / "list_98pt_rect_attr_test.txt"
    good = file.read_text()
    for bad in (
        good.replace(" b.png", ""),
        good[:-30].rsplit("2.25", 1)[0],
        good[: good.index("\n") + 90] + "x",
    ):
        file.write_text(bad)
        with pytest.raises(DataError, match=r"test\.txt: line 2 is malformed; it should hold 206 numbers"):
            vq.data.open(f"wflw:{tmp_path}")
    file.write_text(good)
    (tmp_path / "WFLW_images/a.png").unlink()
    with pytest.raises(DataError, match=r"WFLW_images/a\.png: no such file"):
        _ = vq.data.open(f"wflw:{tmp_path}")[0].pixels


def write_300w(root: Path, folder: str, name: str) -> None:
    save(root / folder / f"{name}.png", value=9)
    points = "".join(f"{i + 1}.5 {3 * i + 1}\n" for i in range(68))
    (root / folder / f"{name}.pts").write_text(f"version: 1\nn_points:  68\n{{\n{points}}}\n")


def test_300w_splits(tmp_path: Path):
    for folder in ("afw", "helen/trainset", "lfpw/trainset", "helen/testset", "lfpw/testset", "ibug"):
        write_300w(tmp_path, folder, f"face {folder[:2]}")
    names = {s: [x.name for x in vq.data.open(f"300w:{tmp_path}#{s}")] for s in ("train", "common", "full")}
    assert names["train"] == ["afw/face af", "helen/trainset/face he", "lfpw/trainset/face lf"]
    assert names["common"] == ["helen/testset/face he", "lfpw/testset/face lf"]
    assert names["full"] == [*names["common"], "ibug/face ib"]
    assert vq.data.open(f"300w:{tmp_path}").split == "full"
    with pytest.raises(DataError, match=r"lacks 300W/01_Indoor, a part of 300W's split test"):
        vq.data.open(f"300w:{tmp_path}#test")


def test_300w_counts_pixels_from_0(tmp_path: Path):
    write_300w(tmp_path, "ibug", "a")
    target = landmarks_of(f"300w:{tmp_path}#challenging")
    assert target.points.tolist() == [[i + 0.5, 3 * i] for i in range(68)]
    assert target.eyes == (36, 45)


def test_300w_bad_points(tmp_path: Path):
    write_300w(tmp_path, "ibug", "a")
    for text in ("version: 1\nn_points: 68\n{\n1 2\n}\n", "1 2\n3 4\n", "{\none two\n}\n"):
        (tmp_path / "ibug/a.pts").write_text(text)
        with pytest.raises(DataError, match=r"a\.pts: holds no 68 points x y between braces$"):
            landmarks_of(f"300w:{tmp_path}#challenging")
    (tmp_path / "ibug/a.pts").unlink()
    with pytest.raises(DataError, match=r"ibug/a\.pts: is missing, the landmarks of a\.png$"):
        vq.data.open(f"300w:{tmp_path}#challenging")


def write_cofw(file: Path, end: str, pictures: list[np.ndarray], phis: np.ndarray, drop: str = "") -> None:
    """A file of MATLAB 7.3: arrays are transposed, a cell array is references into the group #refs#."""
    h5py = pytest.importorskip("h5py", reason="needs h5py: pip install h5py")
    with h5py.File(file, "w", userblock_size=512) as opened:
        # Where the list of pictures is missing, the pictures themselves are still there.
        cells = opened.create_dataset(
            f"Is{end}" if drop != "Is" else "#refs#/list", (1, len(pictures)), h5py.ref_dtype
        )
        for index, picture in enumerate(pictures):
            cells[0, index] = opened.create_dataset(f"#refs#/{index}", data=picture.T).ref
        if drop != "phis":
            opened[f"phis{end}"] = phis.T


def cofw_example() -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (4, 6, 3), np.uint8), rng.integers(0, 256, (5, 3), np.uint8)]
    phis = np.zeros((2, 87))
    phis[:, :29], phis[:, 29:58] = np.arange(1, 30), 2 * np.arange(1, 30)
    phis[1, 58:61] = 1
    return pictures, phis


def test_cofw(tmp_path: Path):
    pictures, phis = cofw_example()
    write_cofw(tmp_path / "COFW_test_color.mat", "T", pictures, phis)
    data = vq.data.open(f"cofw:{tmp_path}")
    assert (len(data), data.split, data.task) == (2, "test", "landmarks")
    assert np.array_equal(data[0].pixels, pictures[0])
    assert np.array_equal(data[1].pixels, np.stack([pictures[1]] * 3, 2))
    target = landmarks_of(f"cofw:{tmp_path}", 1)
    assert target.points.tolist() == [[i, 2 * i + 1] for i in range(29)]
    assert target.visible.tolist() == [False] * 3 + [True] * 26
    assert target.eyes == (8, 9)


@pytest.mark.parametrize(("drop", "held"), [("Is", "#refs#, phisTr"), ("phis", "#refs#, IsTr")])
def test_cofw_lacks_a_key(tmp_path: Path, drop: str, held: str):
    write_cofw(tmp_path / "COFW_train_color.mat", "Tr", *cofw_example(), drop=drop)
    with pytest.raises(DataError, match=rf"color\.mat: lacks the variable {drop}Tr; it holds {held}$"):
        vq.data.open(f"cofw:{tmp_path}#train")


def test_cofw_of_another_shape_or_damaged(tmp_path: Path):
    pictures, phis = cofw_example()
    file = tmp_path / "COFW_test_color.mat"
    write_cofw(file, "T", pictures, phis[:, :58])
    with pytest.raises(DataError, match=r"phisT is 2×58; it should be 2×87, as there are 2 pictures$"):
        vq.data.open(f"cofw:{tmp_path}")
    file.write_bytes(b"no HDF5")
    with pytest.raises(DataError, match=r"COFW_test_color\.mat: cannot be read as HDF5"):
        vq.data.open(f"cofw:{tmp_path}")


def test_cofw_without_h5py_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "COFW_test_color.mat").touch()
    with pytest.raises(DataError, match=r"mat: is an HDF5 file; run `pip install h5py` to read it$"):
        vq.data.open(f"cofw:{tmp_path}")
