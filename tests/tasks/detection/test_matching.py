import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.tasks.detection.test_boxes import boxes
from videoquant.tasks.detection.matching import match

rows = st.lists(
    st.tuples(
        st.integers(0, 6), st.integers(0, 6), st.integers(7, 12), st.integers(7, 12), st.integers(0, 1)
    ),
    max_size=6,
).map(lambda rows: boxes(*((*row[:4], 0.5, row[4]) for row in rows)))


def test_the_nearest_pair_is_taken_first():
    a = boxes((0, 0, 10, 10, 0.9, 0), (0, 2, 10, 12, 0.8, 0))
    b = boxes((0, 2, 10, 12, 0.9, 0))
    assert match(a, b).tolist() == [[1, 0]]
    assert match(b, a).tolist() == [[0, 1]]


def test_another_class_is_another_thing():
    assert match(boxes((0, 0, 10, 10, 0.9, 0)), boxes((0, 0, 10, 10, 0.9, 1))).tolist() == []


def test_half_an_overlap_is_enough_and_less_is_not():
    a = boxes((0, 0, 10, 10, 0.9, 0))
    assert match(a, boxes((0, 0, 10, 5, 0.9, 0))).tolist() == [[0, 0]]
    assert match(a, boxes((0, 0, 10, 4.9, 0.9, 0))).tolist() == []


@given(rows, rows)
def test_pairs_are_one_to_one(a, b):
    pairs = match(a, b)
    assert len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1])) == len(pairs)
    assert (a.classes[pairs[:, 0]] == b.classes[pairs[:, 1]]).all()


@given(rows)
def test_a_set_matches_itself(a):
    assert len(match(a, a)) == len(a)
