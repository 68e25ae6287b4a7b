"""What exporters write beside a network, as texts that may say anything."""

import pytest

from videoquant.network.metadata import class_names, image_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("[640, 480]", (640, 480)),
        ("320", (320, 320)),
        ("(32 64)", (32, 64)),
        ("", None),
        ("[0, 640]", None),
        ("[1, 2, 3]", None),
    ],
)
def test_the_size_is_height_and_width(text: str, size: tuple[int, int] | None) -> None:
    assert image_size({"imgsz": text}) == size


@pytest.mark.parametrize(
    ("metadata", "names"),
    [
        ({"names": "{0: 'cat', 2: 'dog'}"}, ("cat", "1", "dog")),
        ({"names": "['cat', 'dog']"}, ("cat", "dog")),
        ({"names": "cat, dog"}, ("cat", "dog")),
        ({"names": "{'a': 1}"}, ()),
        ({"names": "{-1: 'a'}"}, ()),
        ({"names": "{99999999999: 'a'}"}, ()),
        ({"character": "text\ntitle"}, ("text", "title")),
        ({}, ()),
    ],
)
def test_names_come_in_the_order_of_their_classes(metadata: dict[str, str], names: tuple[str, ...]) -> None:
    assert class_names(metadata) == names
