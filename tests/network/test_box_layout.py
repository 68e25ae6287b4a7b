import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.detectors import bright_spots
from videoquant.errors import NetworkError
from videoquant.network.box_layout import FAMILIES, BoxLayout
from videoquant.network.onnx_reader import read_onnx
from videoquant.network.preprocessing import Preprocessing, letterboxed

ULTRALYTICS = {"task": "detect", "stride": "32", "names": "{0: 'person', 1: \"a dog's, tail\"}"}


def test_ultralytics_metadata_is_understood():
    read = Preprocessing.from_metadata(ULTRALYTICS)
    assert (read.task, read.fit, read.scale) == ("detection", "letterbox", 1 / 255)
    assert read.boxes == BoxLayout(names=("person", "a dog's, tail"))
    assert Preprocessing.from_metadata(ULTRALYTICS | {"task": "classify"}).task == "classification"
    assert Preprocessing.from_metadata(ULTRALYTICS | {"task": "obb"}).task is None


def test_an_option_leaves_the_rest_of_what_ultralytics_wrote(tmp_path):
    path = bright_spots(tmp_path / "spots.onnx", **ULTRALYTICS | {"names": "{0: 'person'}"})
    for option in ({"names": "face"}, {"task": "detection"}, {"score": "0.3"}, {"scale": "1"}):
        seen = read_onnx(path, option).preprocessing
        assert (seen.task, seen.fit, seen.color) == ("detection", "letterbox", "RGB")
        assert seen.scale == (1 if "scale" in option else 1 / 255)
        assert seen.boxes.names == (("face",) if "names" in option else ("person",))
    other = read_onnx(path, {"task": "super-resolution"}).preprocessing
    assert other.task == "super-resolution" and other.boxes == BoxLayout()


@pytest.mark.parametrize("text", ["a,b c", "a\nb c\n", "['a', 'b c']", "{0: 'a', 1: 'b c'}", "a, b c"])
def test_names_are_read_as_people_and_tools_write_them(text):
    assert BoxLayout().with_text({"names": text}).names == ("a", "b c")


@given(
    st.sampled_from([None, *FAMILIES]),
    st.lists(st.text(min_size=1, alphabet="ab,'\n{"), max_size=3),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    st.none() | st.floats(0, 1),
)
def test_text_is_read_back(family, names, anchors, score):
    layout = BoxLayout(family, tuple(names), tuple(anchors), score)
    assert BoxLayout().with_text(layout.to_text()) == layout


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_prepares_frames_as_its_authors_do_unless_told(family):
    alone = Preprocessing().with_text({"boxes": family})
    assert alone.task == "detection" and alone.boxes.family == family
    assert Preprocessing().with_text({"boxes": family, "scale": "1/3"}).scale == 1 / 3
    told = Preprocessing(mean=(0.1, 0.2, 0.3)).with_text({"boxes": family})
    assert (told.mean, told.color, told.fit) == ((0.1, 0.2, 0.3), "RGB", "stretch")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ({"boxes": "yolo99"}, "boxes: 'yolo99' is no family; there are yolov3, "),
        ({"score": "1.5"}, "boxes: score is 1.5; a threshold lies between 0 and 1"),
        ({"overlap": ""}, "boxes: overlap has no value"),
        ({"overlap": "much"}, "boxes: overlap holds 'much', which is no number"),
        ({"anchors": "1,2,inf"}, "boxes: anchors must be finite numbers"),
        ({"names": "{0: 'a', 2: 'b'}"}, "names: classes must be numbered from 0, without a gap"),
        (
            {"names": "{0: __import__('os')}"},
            "names holds \"{0: __import__('os')}\", which is no list of names",
        ),
    ],
)
def test_what_is_no_layout_is_refused_in_one_line(text, words):
    with pytest.raises(NetworkError) as error:
        Preprocessing(task="detection").with_text(text)
    assert str(error.value).startswith(words)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 300), st.integers(1, 300))
def test_a_letterboxed_frame_lies_within_the_input(height, width, rows, columns):
    top, left, inner_height, inner_width = letterboxed((height, width), (rows, columns))
    assert top >= 0 and left >= 0 and top + inner_height <= rows and left + inner_width <= columns
    assert inner_height == rows or inner_width == columns
