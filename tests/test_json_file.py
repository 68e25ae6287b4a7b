"""How files of results are written."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from videoquant.json_file import plain, write_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_what_json_has_stays_as_it_is(value):
    assert plain(value) == value


def test_numbers_of_any_kind_are_plain_ones(tmp_path):
    path = tmp_path / "é.json"
    given = {8: np.float32(0.5), "é": (np.int64(3), float("nan"), float("inf")), "flag": np.bool_(True)}
    write_json(given, path)
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == {"8": 0.5, "é": [3, None, None], "flag": True}
    assert "é" in text and text.endswith("}\n")
