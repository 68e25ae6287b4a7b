import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from tests.detectors import detector
from videoquant.tasks import task_for
from videoquant.tasks.detection.text import TextBoxes, regions


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_regions_are_scipy_s(mask):
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    expected = [(c.start, r.start, c.stop, r.stop) for r, c in ndimage.find_objects(labels)]
    assert sorted(regions(mask)) == sorted(expected)


def test_a_line_grows_by_what_it_was_shrunk():
    task = task_for(detector({"map": (1, 1, 64, 64)}, boxes="ppocr"))
    assert type(task) is TextBoxes and task.classes == 1
    values = np.zeros((1, 1, 64, 64), np.float32)
    values[0, 0, 20:28, 10:34] = 0.9
    values[0, 0, 50:60, 10:34] = 0.5  # too unsure
    values[0, 0, 40:42, 10:34] = 0.9  # too thin
    boxes = task.found({"map": values})
    grown = 24 * 8 * 1.5 / (2 * (24 + 8))
    assert boxes.corners[0].tolist() == pytest.approx([10 - grown, 20 - grown, 34 + grown, 28 + grown])
    assert boxes.scores.tolist() == pytest.approx([0.9])
