import json
from pathlib import Path

import numpy as np
import pytest

import videoquant as vq
from tests.data.sets.pictures import save
from videoquant.data.targets import Objects
from videoquant.errors import DataError

CATEGORIES = [{"id": 7, "name": "train"}, {"id": 1, "name": "person"}]


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    write(
        tmp_path,
        [
            {"id": 1, "image_id": 139, "category_id": 7, "bbox": [1, 2, 3, 4], "iscrowd": 0},
            {"id": 2, "image_id": 139, "category_id": 1, "bbox": [8, 0, 9, 6], "iscrowd": 1},
        ],
    )
    save(tmp_path / "val2017/a.png", value=5, size=(8, 10))
    save(tmp_path / "val2017/b.png", value=6, size=(8, 10))
    return tmp_path


def write(root: Path, annotations: list, split: str = "val2017") -> None:
    images = [
        {"id": id, "file_name": f"{n}.png", "height": 8, "width": 10} for id, n in ((139, "a"), (3, "b"))
    ]
    file = root / f"annotations/instances_{split}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": CATEGORIES}))


def test_classes_are_numbered_by_their_ids(coco: Path):
    data = vq.data.open(f"coco:{coco}")
    assert (data.task, data.split, data.splits) == ("detection", "val2017", ("val2017",))
    assert data.labels == ("person", "train") and len(data) == 2 and not data.is_video
    assert (data[0].pixels == 5).all()
    target = data[0].target
    assert isinstance(target, Objects)
    assert target.corners.tolist() == [[1, 2, 4, 6], [8, 0, 10, 6]]  # the second is cut at the edge
    assert target.classes.tolist() == [1, 0] and target.ignored.tolist() == [False, True]
    assert target.corners.dtype == np.float32


def test_a_picture_without_annotations_holds_nothing(coco: Path):
    target = vq.data.open(f"coco:{coco}")[1].target
    assert isinstance(target, Objects) and target.corners.shape == (0, 4)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ({"category_id": 2}, "annotation 4 is of category 2, which the file does not list"),
        ({"image_id": 4}, "annotation 4 is on image 4, which the file does not list"),
    ],
)
def test_what_the_file_does_not_list_is_refused(coco: Path, annotation: dict, words: str):
    write(coco, [{"id": 4, "image_id": 3, "category_id": 1, "bbox": [0, 0, 1, 1]} | annotation])
    with pytest.raises(DataError) as error:
        vq.data.open(f"coco:{coco}")
    assert str(error.value) == f"{coco}/annotations/instances_val2017.json: {words}"


@pytest.mark.parametrize("box", [[10, 0, 3, 3], [-5, 0, 5, 3], [1, 1, 0, 3], [1, 1, -2, 3], [0, 9, 4, 4]])
def test_a_box_outside_its_picture_is_refused(coco: Path, box: list):
    write(coco, [{"id": 4, "image_id": 3, "category_id": 1, "bbox": box}])
    with pytest.raises(DataError) as error:
        _ = vq.data.open(f"coco:{coco}")[1].target
    assert str(error.value).startswith(
        f"{coco}/annotations/instances_val2017.json: annotation 4: a box from ("
    )
    assert str(error.value).endswith("lies outside its picture of 8×10, or has no area; mend the annotation")


@pytest.mark.parametrize("text", ["", "[]", '{"images": [], "categories": []}', '{"images": 3}'])
def test_a_damaged_file_is_refused(coco: Path, text: str):
    (coco / "annotations/instances_val2017.json").write_text(text)
    with pytest.raises(DataError) as error:
        vq.data.open(f"coco:{coco}")
    assert "\n" not in str(error.value)


def test_other_splits_and_missing_parts(coco: Path):
    write(coco, [], "train2017")
    with pytest.raises(DataError, match="images: lacks train2017"):
        (coco / "images").mkdir()
        vq.data.open(f"coco:{coco}#train2017")
    with pytest.raises(DataError, match="has no split 'test'; there are train2017, val2017"):
        vq.data.open(f"coco:{coco}#test")
    with pytest.raises(DataError, match="is not a folder"):
        vq.data.open(f"coco:{coco / 'nowhere'}")
