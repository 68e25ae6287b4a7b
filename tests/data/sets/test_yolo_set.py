from pathlib import Path

import pytest

import videoquant as vq
from tests.data.sets.pictures import save
from videoquant.data.sets.yolo import read_yaml
from videoquant.data.targets import Objects
from videoquant.errors import DataError

YAML = """# things
path: ../things  # relative
train: images/train
val: [images/val, images/more]
test:
  - test.txt

names:
  0: person
  1: 'traffic light'
download: |
  from somewhere import it
  get: it
"""


@pytest.fixture
def things(tmp_path: Path) -> Path:
    root = tmp_path / "things"
    for place, value in (("train/a", 1), ("val/b", 2), ("val/c", 3), ("more/d", 4)):
        save(root / f"images/{place}.png", value=value, size=(8, 10))
    (root / "labels/val").mkdir(parents=True)
    (root / "labels/val/b.txt").write_text("0 0.5 0.5 0.2 0.5\n1 0.1 0.25 0.4 0.25 0.4 0.75\n\n")
    (root / "test.txt").write_text("images/val/b.png\nimages/train/a.png\n")
    file = tmp_path / "yaml" / "data.yaml"
    file.parent.mkdir()
    file.write_text(YAML)
    return file


def labels(things: Path, text: str) -> Objects:
    (things.parent.parent / "things/labels/val/b.txt").write_text(text)
    target = vq.data.open(f"yolo:{things}")[0].target
    assert isinstance(target, Objects)
    return target


def test_pictures_and_labels_lie_side_by_side(things: Path):
    data = vq.data.open(f"yolo:{things}")
    assert (data.task, data.split, data.splits) == ("detection", "val", ("val", "train", "test"))
    assert data.labels == ("person", "traffic light")
    assert [int(sample.pixels[0, 0, 0]) for sample in data] == [2, 3, 4]
    target = data[0].target
    assert isinstance(target, Objects)
    assert target.corners.tolist() == [[4, 2, 6, 6], [1, 2, 4, 6]]  # a box, and that around a polygon
    assert target.classes.tolist() == [0, 1] and not target.ignored.any()
    assert len(data[1].target.corners) == 0  # no file: nothing to find
    assert [int(sample.pixels[0, 0, 0]) for sample in vq.data.open(f"yolo:{things}#test")] == [2, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2 0.5 0.5 0.1 0.1", "line 1: class 2 is unknown; there are 2, from 0"),
        ("0.5 0.5 0.5 0.1 0.1", "line 1: class 0.5 is unknown; there are 2, from 0"),
        ("0 0.5 0.5 0.1 0.1\nperson 0.5", "line 2: 'person 0.5' is not a class and numbers"),
        ("0 0.5 0.5 0.1", "line 1: has 3 numbers; a box has 4, a polygon two for every corner"),
        (
            "0 1.5 0.5 0.1 0.1",
            "line 1: a box from (14.5, 3.6, 15.5, 4.4: left, top, right, bottom) lies outside",
        ),
        ("0 0.5 0.5 0 0.1", "has no area; mend the annotation"),
        ("0 nan 0.5 0.1 0.1", "lies outside its picture"),
    ],
)
def test_lines_that_are_no_labels_are_refused(things: Path, text: str, words: str):
    with pytest.raises(DataError) as error:
        labels(things, text)
    assert words in str(error.value) and "b.txt, line " in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("names: [a]", "names no pictures; it needs one of val, train, test"),
        ("val: images/val", "lacks names, the list of the classes"),
        ("val: images/val\nnames:\n  0: a\n  2: b", "names must be numbered from 0, without a gap"),
        ("val: images/val\nnames: [a]\nwords", "line 4: 'words' is no 'key: value'"),
        ("val: nowhere\nnames: [a]", "nowhere: neither a folder nor a list of pictures"),
        ("val: images/val\nnames:\n  0: a\n  - b", "line 5: '- b' is neither '- item' nor 'key: value'"),
    ],
)
def test_a_file_that_is_no_data_set_is_refused(things: Path, text: str, words: str):
    things.write_text(f"path: ../things\n{text}\n")
    with pytest.raises(DataError) as error:
        vq.data.open(f"yolo:{things}")
    assert words in str(error.value) and "\n" not in str(error.value)


def test_what_is_read_of_yaml(tmp_path: Path):
    file = tmp_path / "a.yaml"
    file.write_text("names: {0: a, 1: 'b c'}\nnc: 2\nlist: ['x', y]\nempty:\n")
    assert read_yaml(file) == {"names": {"0": "a", "1": "b c"}, "nc": "2", "list": ["x", "y"], "empty": ""}


def test_a_folder_is_no_file(tmp_path: Path):
    with pytest.raises(DataError, match="is not a file; give yolo:PATH or yolo:PATH#SPLIT"):
        vq.data.open(f"yolo:{tmp_path}")
