"""An error is one line that any terminal can show, whatever the names that it repeats."""

import pytest

from videoquant.errors import DataError, NetworkError, refused_as


@pytest.mark.parametrize("name", ["a\nb", "a\r\nb", "a\x0bb", "a\u2028b"])
def test_lines_become_one(name):
    assert "\n" not in str(NetworkError(f"{name}: no such node"))


def test_what_no_encoding_has_is_escaped():
    assert str(DataError("clip \ud800.mp4")) == "clip \\ud800.mp4"


def test_the_unforeseen_is_one_line():
    with (
        pytest.raises(NetworkError, match=r"^pose.vq: damaged \(first second\)$"),
        refused_as(NetworkError, "pose.vq: damaged"),
    ):
        raise RuntimeError("first\nsecond")
    with pytest.raises(DataError, match=r"^other$"), refused_as(NetworkError, "pose.vq"):
        raise DataError("other")
