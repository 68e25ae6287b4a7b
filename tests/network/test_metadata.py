"""What exporters write beside a network, as texts that may say anything."""

import pytest

from videoquant.network.metadata import image_size


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
