"""CamVid and Cityscapes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import videoquant as vq
from tests.data.sets.pictures import save
from videoquant.data.sets.cityscapes import SCORED
from videoquant.data.targets import LabelMap
from videoquant.errors import DataError

LABELS = np.array([[0, 1, 2], [9, 10, 11]])


def camvid(root: Path, names: list[str], split: str = "val", suffix: str = ".png") -> Path:
    for value, name in enumerate(names):
        save(root / split / f"{name}{suffix}", value=value, size=(2, 3))
        save(root / f"{split}annot" / f"{name}.png", LABELS)
    return root


def test_camvid_reads_images_labels_and_sequences(tmp_path: Path):
    names = ["0016E5_07959", "0016E5_07961", "0016E5_07963", "0016E5_08000", "Seq05VD_f00000"]
    data = vq.data.open(f"camvid:{camvid(tmp_path, names)}")
    assert (data.name, data.task, data.split, data.splits) == ("camvid", "segmentation", "val", ("val",))
    assert data.labels[3] == "road" and len(data.labels) == 11
    assert [sample.name for sample in data] == names
    assert data.clips == {
        "0016E5_07959": range(3),
        "0016E5_08000": range(3, 4),
        "Seq05VD_f00000": range(4, 5),
    }
    assert [sample.index for sample in data] == [0, 1, 2, 0, 0]
    assert (data[2].pixels == 2).all() and data[2].pixels.shape == (2, 3, 3)
    target = data[2].target
    assert isinstance(target, LabelMap) and target.void == 11
    assert target.labels.dtype == np.uint8 and np.array_equal(target.labels, LABELS)


def test_camvid_frames_a_second_apart_are_stills(tmp_path: Path):
    root = camvid(tmp_path, ["0001TP_006690", "0001TP_006720"], "train", ".bmp")
    data = vq.data.open(f"camvid:{root}#train")
    assert not data.is_video and data.splits == ("train",)


def test_palette_labels_are_ids_not_colours(tmp_path: Path):
    root = camvid(tmp_path, ["a_1"])
    image = Image.fromarray(LABELS.astype(np.uint8), "P")
    image.putpalette([value for index in range(12) for value in (255 - index, 7, index)])
    image.save(root / "valannot" / "a_1.png")
    target = vq.data.open(f"camvid:{root}")[0].target
    assert isinstance(target, LabelMap) and np.array_equal(target.labels, LABELS)


def test_camvid_lacks_a_part(tmp_path: Path):
    root = camvid(tmp_path, ["a_1", "a_2", "a_3"])
    with pytest.raises(DataError, match=rf"^camvid:{root} has no split 'train'; there are val$"):
        vq.data.open(f"camvid:{root}#train")
    (root / "valannot" / "a_2.png").unlink()
    message = rf"^{root}/valannot: lacks the labels of 1 of 3 images: a_2\.png$"
    with pytest.raises(DataError, match=message):
        vq.data.open(f"camvid:{root}")
    (root / "valannot").rename(root / "labels")
    with pytest.raises(DataError, match=rf"^{root}: lacks valannot, a part of CamVid; give the folder"):
        vq.data.open(f"camvid:{root}")


def test_camvid_names_carry_numbers(tmp_path: Path):
    with pytest.raises(DataError, match=r"val/frame\.png: is not named as CamVid's images are"):
        vq.data.open(f"camvid:{camvid(tmp_path, ['frame'])}")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((3, 2)), r"a_1\.png: labels are 3×2, their image .*/val/a_1\.png is 2×3$"),
        (np.full((2, 3), 12), r"a_1\.png: has label 12; ids are 0–11, of which 11 is void$"),
        (np.zeros((2, 3, 3)), r"a_1\.png: has mode RGB; labels are ids in one channel of 8 bits$"),
    ],
)
def test_unusable_labels_are_refused_when_they_are_read(tmp_path: Path, labels: np.ndarray, message: str):
    root = camvid(tmp_path, ["a_1"])
    save(root / "valannot" / "a_1.png", labels)
    sample = vq.data.open(f"camvid:{root}")[0]
    with pytest.raises(DataError, match=message):
        _ = sample.target


def test_damaged_labels(tmp_path: Path):
    root = camvid(tmp_path, ["a_1"])
    (root / "valannot" / "a_1.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"valannot/a_1\.png: cannot be read as labels") as error:
        _ = vq.data.open(f"camvid:{root}")[0].target
    assert "\n" not in str(error.value)


def test_real_camvid(shared_data: Path):
    root = shared_data / "camvid"
    train, val = (vq.data.open(f"camvid:{root}#{split}") for split in ("train", "val"))
    assert (len(train), len(val)) == (367, 101) and train.splits == ("train", "val")
    assert val.is_video and len(val.clips) == 1 and not train.is_video
    for sample in (train[0], train[366], val[0], val[100]):
        target = sample.target
        assert isinstance(target, LabelMap) and target.labels.shape == (360, 480)
        assert sample.pixels.shape == (360, 480, 3) and target.labels.max() <= 11
        assert (target.labels == 3).mean() > 0.05  # a road lies ahead of every car


def cityscapes(root: Path, split: str = "val", city: str = "ulm", frame: int = 19) -> np.ndarray:
    """One labelled frame with every label id, its still and its snippet. Returns the label ids."""
    ids = np.arange(34).reshape(2, 17)
    name = f"{city}_000003_{frame:06d}"
    save(root / "gtFine" / split / city / f"{name}_gtFine_labelIds.png", ids)
    save(root / "gtFine" / split / city / f"{name}_gtFine_color.png", value=3, size=(2, 17))
    save(root / "gtFine" / split / city / f"._{name}_gtFine_labelIds.png")  # as macOS leaves them behind
    save(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", value=frame % 256, size=(2, 17))
    for number in range(frame - 19, frame + 11):
        file = f"{city}_000003_{number:06d}_leftImg8bit.png"
        save(root / "leftImg8bit_sequence" / split / city / file, value=number % 256, size=(2, 17))
    return ids


def train_ids(ids: np.ndarray) -> list[int]:
    """The train ids as cityscapesScripts/labels.py lists them, from 0 to 33."""
    table = [255] * 7 + [0, 1, 255, 255, 2, 3, 4, 255, 255, 255, 5, 255, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    table += [255, 255, 16, 17, 18]
    return [table[i] for i in ids.flat]


def test_cityscapes_stills(tmp_path: Path):
    ids = cityscapes(tmp_path)
    cityscapes(tmp_path, city="bonn", frame=300)
    data = vq.data.open(f"cityscapes:{tmp_path}")
    assert (len(data), data.split, data.is_video) == (2, "val", False)
    assert [sample.name for sample in data] == ["bonn_000003_000300", "ulm_000003_000019"]
    target = data[1].target
    assert isinstance(target, LabelMap) and target.void == 255
    assert target.labels.flatten().tolist() == train_ids(ids)
    assert (data[1].pixels == 19).all()
    assert len(data.labels) == len(SCORED) == 19 and data.labels[13] == "car"


def test_cityscapes_licence_plates_are_void(tmp_path: Path):
    """Their id is −1, which 8 bits hold as 255."""
    ids = cityscapes(tmp_path)
    ids[0, 7] = 255
    save(tmp_path / "gtFine/val/ulm/ulm_000003_000019_gtFine_labelIds.png", ids)
    target = vq.data.open(f"cityscapes:{tmp_path}")[0].target
    assert isinstance(target, LabelMap) and target.labels[0, 7] == 255 and target.labels[0, 8] == 1


@pytest.mark.parametrize("name", ["cityscapes", "cityscapes-sequence"])
@pytest.mark.parametrize("unknown", [34, 128, 254])
def test_cityscapes_refuses_what_is_no_label_id(tmp_path: Path, name: str, unknown: int):
    ids = cityscapes(tmp_path)
    ids[1, 3] = unknown
    file = save(tmp_path / "gtFine/val/ulm/ulm_000003_000019_gtFine_labelIds.png", ids)
    sample = next(sample for sample in vq.data.open(f"{name}:{tmp_path}") if sample.is_labelled)
    with pytest.raises(DataError, match=rf"^{file}: has label {unknown}; ids are 0–33, 255$"):
        _ = sample.target


def test_cityscapes_labels_of_another_size(tmp_path: Path):
    ids = cityscapes(tmp_path)
    file = save(tmp_path / "gtFine/val/ulm/ulm_000003_000019_gtFine_labelIds.png", ids[:1])
    with pytest.raises(DataError, match=rf"^{file}: labels are 1×17, their image .*8bit\.png is 2×17$"):
        _ = vq.data.open(f"cityscapes:{tmp_path}")[0].target


def test_cityscapes_snippets_have_30_frames_and_the_20th_is_labelled(tmp_path: Path):
    ids = cityscapes(tmp_path, frame=319)
    cityscapes(tmp_path, frame=349)  # follows without a gap in the numbers, and is a snippet of its own
    data = vq.data.open(f"cityscapes-sequence:{tmp_path}#val")
    assert data.clips == {"ulm_000003_000319": range(30), "ulm_000003_000349": range(30, 60)}
    assert [i for i, sample in enumerate(data) if sample.is_labelled] == [19, 49]
    assert [int(sample.pixels[0, 0, 0]) for sample in data[:3]] == [300 % 256, 301 % 256, 302 % 256]
    target = data[19].target
    assert data[19].name == "ulm_000003_000319" and isinstance(target, LabelMap)
    assert target.labels.flatten().tolist() == train_ids(ids)
    assert data.rate == 17


def test_cityscapes_lacks_a_part(tmp_path: Path):
    cityscapes(tmp_path)
    with pytest.raises(DataError, match=r"has no split 'valid'; there are train, val, test$"):
        vq.data.open(f"cityscapes:{tmp_path}#valid")
    with pytest.raises(DataError, match=rf"^{tmp_path}: lacks leftImg8bit/test, a part of Cityscapes"):
        vq.data.open(f"cityscapes:{tmp_path}#test")
    snippet = tmp_path / "leftImg8bit_sequence/val/ulm"
    (snippet / "ulm_000003_000007_leftImg8bit.png").unlink()
    message = r"ulm_000003_000007_leftImg8bit\.png: is missing, frame 8 of the 30 around ulm_000003_000019$"
    with pytest.raises(DataError, match=message):
        vq.data.open(f"cityscapes-sequence:{tmp_path}")
    (tmp_path / "leftImg8bit/val/ulm/ulm_000003_000019_leftImg8bit.png").unlink()
    with pytest.raises(DataError, match=r"_000019_leftImg8bit\.png: is missing, though .*labelIds\.png"):
        vq.data.open(f"cityscapes:{tmp_path}")
    (tmp_path / "gtFine").rename(tmp_path / "gtCoarse")
    with pytest.raises(DataError, match=rf"^{tmp_path}: lacks gtFine/val, a part of Cityscapes"):
        vq.data.open(f"cityscapes:{tmp_path}")
