import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoquant.errors import DataError
from videoquant.text import printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Title [a1b2] 猫 ×.onnx", "Title [a1b2] 猫 ×.onnx"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        (b"f\xff\xfe.mp4".decode("utf-8", "surrogateescape"), r"f\xff\xfe.mp4"),
        ("\ud800", r"\ud800"),
        ("a\u2028b", r"a\u2028b"),
    ],
)
def test_what_is_no_character_is_escaped(name, shown):
    assert printable(name) == shown


@given(st.text(st.characters(codec=None)))
def test_any_text_becomes_one_line_of_utf8_and_stays_so(text):
    shown = printable(text)
    assert len(shown.encode().decode().splitlines()) <= 1
    assert printable(shown) == shown


def test_an_error_is_one_line_whatever_it_names():
    assert str(DataError("a\nb.mp4: is empty")) == r"a\nb.mp4: is empty"
