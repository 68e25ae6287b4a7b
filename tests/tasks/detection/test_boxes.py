import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoquant.errors import MissingExtraError
from videoquant.tasks.detection.boxes import Boxes, overlaps, suppress

corner = st.integers(0, 12)
box = st.tuples(corner, corner, corner, corner)


def boxes(*rows):
    """Of (left, top, right, bottom, score, class)."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Boxes.of(table[:, :4], table[:, 4], table[:, 5])


def area(box):
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


@given(st.lists(box, max_size=4), st.lists(box, max_size=4))
def test_overlap_is_intersection_over_union(a, b):
    found = overlaps(np.array(a, np.float32).reshape(-1, 4), np.array(b, np.float32).reshape(-1, 4))
    assert found.shape == (len(a), len(b))
    for i, first in enumerate(a):
        for j, second in enumerate(b):
            common = [max(p, q) for p, q in zip(first[:2], second[:2], strict=True)]
            common += [min(p, q) for p, q in zip(first[2:], second[2:], strict=True)]
            both = area(common)
            either = area(first) + area(second) - both
            assert found[i, j] == (both / either if either > 0 else 0)


def test_the_stronger_of_two_stays_unless_classes_differ():
    found = suppress(
        boxes((0, 0, 10, 10, 0.5, 1), (0, 0, 10, 9, 0.9, 1), (0, 0, 10, 10, 0.4, 2), (20, 0, 30, 10, 0.3, 1)),
        0.5,
    )
    assert found.scores.tolist() == pytest.approx([0.9, 0.4, 0.3])
    assert found.classes.tolist() == [1, 2, 1]


def test_what_a_suppressed_box_would_have_removed_stays():
    chain = boxes((0, 0, 10, 10, 0.9, 0), (0, 4, 10, 14, 0.8, 0), (0, 8, 10, 18, 0.7, 0))
    assert suppress(chain, 0.4).scores.tolist() == pytest.approx([0.9, 0.7])


@given(st.lists(st.tuples(corner, corner, corner, corner, st.integers(0, 9), st.integers(0, 2)), max_size=12))
def test_suppression_is_the_plain_loop(rows):
    given = boxes(*((*row[:4], row[4] / 10, row[5]) for row in rows))
    kept = []
    for index in sorted(range(len(given)), key=lambda i: -given.scores[i]):
        same = [k for k in kept if given.classes[k] == given.classes[index]]
        if all(overlaps(given.corners[[k]], given.corners[[index]])[0, 0] <= 0.3 for k in same):
            kept.append(index)
    found = suppress(given, 0.3)
    assert np.array_equal(found.corners, given.corners[kept])
    assert np.array_equal(found.scores, given.scores[kept])


def test_at_most_so_many_stay():
    rows = [(10 * k, 0, 10 * k + 5, 5, k / 100, 0) for k in range(50)]
    assert len(suppress(boxes(*rows), 0.5, most=7)) == 7
    assert suppress(boxes(*rows), 0.5, most=7).scores[0] == pytest.approx(0.49)


def test_supervision_is_asked_for_by_name():
    try:
        import supervision
    except ModuleNotFoundError:
        with pytest.raises(MissingExtraError, match="pip install supervision"):
            boxes((0, 0, 1, 1, 0.5, 3)).to_supervision()
    else:
        detections = boxes((0, 0, 1, 1, 0.5, 3)).to_supervision()
        assert isinstance(detections, supervision.Detections)
        assert detections.class_id.tolist() == [3]
