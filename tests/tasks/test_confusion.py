"""Confusion matrices against a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from videoquant.tasks.confusion import class_ious, confusion

MAPS = st.tuples(
    arrays(np.int64, (4, 5), elements=st.integers(0, 2)), arrays(np.int32, (4, 5), elements=st.integers(0, 3))
)


@given(MAPS)
def test_against_a_plain_loop(maps):
    rows, columns = maps
    counts = confusion(rows, columns, (3, 4))
    for i in range(3):
        for j in range(4):
            assert counts[i, j] == sum(
                a == i and b == j for a, b in zip(rows.flat, columns.flat, strict=True)
            )
    for label, iou in enumerate(class_ious(counts)):
        either = ((rows == label) | (columns == label)).sum()
        both = ((rows == label) & (columns == label)).sum()
        assert iou == (both / either if either else None)


def test_labels_of_few_bits_do_not_wrap():
    rows = np.full((2, 2), 200, np.uint8)
    assert confusion(rows, rows, (201, 201))[200, 200] == 4


def test_nothing_is_in_neither():
    assert class_ious(np.array([[3, 1], [0, 0]])) == [pytest.approx(0.75), 0.0]
    assert class_ious(np.zeros((2, 3), np.int64)) == [None, None]
