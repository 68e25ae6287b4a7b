from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import videoquant as vq
from tests.data.sets.pictures import save
from videoquant.data.targets import ClassLabel
from videoquant.errors import DataError

SYNSETS = [f"n{i:08d}" for i in range(1000)]
KIT = Path("ILSVRC2012_devkit_t12/data")


def development_kit(root: Path, truth: list[int], drop: str = "") -> None:
    """meta.mat as the kit has it: numbers in another order than the names, and inner nodes beyond 1000."""
    (root / KIT).mkdir(parents=True)
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")]
    rows = np.zeros((1003, 1), dtype=[field for field in fields if field[0] != drop])
    names = [*reversed(SYNSETS), "n90000000", "n90000001", "n90000002"]
    for index, name in enumerate(names):
        if drop != "ILSVRC2012_ID":
            rows[index, 0]["ILSVRC2012_ID"] = index + 1
        if drop != "WNID":
            rows[index, 0]["WNID"] = name
    savemat(root / KIT / "meta.mat", {"synsets": rows})
    text = "".join(f"{number}\n" for number in truth)
    (root / KIT / "ILSVRC2012_validation_ground_truth.txt").write_text(text)


@pytest.mark.parametrize("folder", ["val", "."])
def test_the_layout_of_the_download(tmp_path: Path, folder: str):
    development_kit(tmp_path, [1, 1000, 3])
    for number in (3, 1, 2):
        save(tmp_path / folder / f"ILSVRC2012_val_{number:08d}.JPEG", value=number)
    data = vq.data.open(f"imagenet:{tmp_path}")
    assert (data.task, data.split, len(data.labels)) == ("classification", "val", 1000)
    assert [sample.target for sample in data] == [ClassLabel(999), ClassLabel(0), ClassLabel(997)]
    assert data.labels[997] == "n00000997" and not data.is_video
    assert data[2].name == "ILSVRC2012_val_00000003" and data[2].pixels.shape == (4, 6, 3)


def test_a_folder_per_synset(tmp_path: Path):
    for synset in SYNSETS:
        (tmp_path / "val" / synset).mkdir(parents=True)
        (tmp_path / "val" / synset / "ILSVRC2012_val_00000001.JPEG").touch()
    save(tmp_path / "val" / SYNSETS[7] / "ILSVRC2012_val_00000001.JPEG", value=70)
    data = vq.data.open(f"imagenet:{tmp_path}")
    assert len(data) == 1000
    assert data[7].target == ClassLabel(7) and abs(int(data[7].pixels[0, 0, 0]) - 70) < 3


def test_some_folders_need_the_list_of_all(tmp_path: Path):
    for index in (5, 3):
        save(tmp_path / SYNSETS[index] / "a.JPEG")
    with pytest.raises(DataError, match=r"holds the folders of 2 of 1000 synsets; add synsets\.txt"):
        vq.data.open(f"imagenet:{tmp_path}")
    (tmp_path / "synsets.txt").write_text("\n".join(SYNSETS))
    assert [s.target for s in vq.data.open(f"imagenet:{tmp_path}")] == [ClassLabel(3), ClassLabel(5)]


def test_a_sample_by_file_names(tmp_path: Path):
    (tmp_path / "synsets.txt").write_text("n00000009\nn00000004\n")
    save(tmp_path / "n00000004_great_white.png")
    save(tmp_path / "n00000009.png")
    data = vq.data.open(f"imagenet:{tmp_path}")
    assert {sample.name: sample.target for sample in data} == {
        "n00000004_great_white": ClassLabel(1),
        "n00000009": ClassLabel(0),
    }
    save(tmp_path / "n00000005_other.png")
    with pytest.raises(DataError, match=r"its synset n00000005 is not in .*synsets\.txt"):
        vq.data.open(f"imagenet:{tmp_path}")
    save(tmp_path / "tench.png")
    with pytest.raises(DataError, match=r"tench\.png: its name begins with no synset"):
        vq.data.open(f"imagenet:{tmp_path}")


def test_the_development_kit_lacks_a_part(tmp_path: Path):
    save(tmp_path / "ILSVRC2012_val_00000002.JPEG")
    with pytest.raises(DataError, match=r"lacks ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground"):
        vq.data.open(f"imagenet:{tmp_path}")
    development_kit(tmp_path, [1])
    with pytest.raises(DataError, match=r"val_00000002\.JPEG: has no line in .*truth\.txt, which holds 1$"):
        vq.data.open(f"imagenet:{tmp_path}")
    (tmp_path / KIT / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n2001\n")
    with pytest.raises(DataError, match=r"truth\.txt: line 2 is '2001', no class of .*meta\.mat$"):
        vq.data.open(f"imagenet:{tmp_path}")
    savemat(tmp_path / KIT / "meta.mat", {"other": [1]})
    with pytest.raises(DataError, match=r"meta\.mat: lacks the variable synsets; it holds other$"):
        vq.data.open(f"imagenet:{tmp_path}")


@pytest.mark.parametrize("field", ["ILSVRC2012_ID", "WNID"])
def test_meta_lacks_a_field(tmp_path: Path, field: str):
    save(tmp_path / "ILSVRC2012_val_00000001.JPEG")
    development_kit(tmp_path, [1], drop=field)
    with pytest.raises(DataError, match=rf"meta\.mat: lacks the field {field} of synsets$"):
        vq.data.open(f"imagenet:{tmp_path}")


def test_the_real_sample(shared_data: Path):
    data = vq.data.open(f"imagenet:{shared_data / 'imagenet-sample'}")
    assert (len(data), len(data.labels)) == (500, 1000)
    by_name = {sample.name: sample for sample in data}
    assert by_name["n01440764_tench"].target == ClassLabel(0)
    assert by_name["n01484850_great_white_shark"].target == ClassLabel(2)
    assert min(by_name["n01440764_tench"].pixels.shape[:2]) == 256
