import numpy as np
import pytest

from tests.detectors import detector
from videoquant.errors import NetworkError
from videoquant.tasks import task_for
from videoquant.tasks.detection.anchors import AnchorBoxes

STRIDES = (8, 16, 32)
CELLS = {8: (6, 8), 16: (3, 4), 32: (2, 2)}  # of a 48×64 input
FORMS = {
    "channels first": lambda h, w: (1, 21, h, w),
    "channels last": lambda h, w: (1, h, w, 21),
    "anchors first": lambda h, w: (1, 3, h, w, 7),
    "cells first": lambda h, w: (1, h, w, 3, 7),
}


def place(form, values, row, column, anchor, numbers):
    """Put a box's numbers into a map of any form."""
    if form == "channels first":
        values[0, 7 * anchor : 7 * anchor + 7, row, column] = numbers
    elif form == "channels last":
        values[0, row, column, 7 * anchor : 7 * anchor + 7] = numbers
    elif form == "anchors first":
        values[0, anchor, row, column] = numbers
    else:
        values[0, row, column, anchor] = numbers


def run(form, family, numbers, **said):
    """The box of anchor 1 in cell (2, 1) at stride 16."""
    shapes = {f"map{s}": FORMS[form](*CELLS[s]) for s in STRIDES}
    task = task_for(detector(shapes, (48, 64), boxes=family, **said))
    assert type(task) is AnchorBoxes and task.classes == 2 and task.strides == STRIDES
    outputs = {name: np.full(shape, -20, np.float32) for name, shape in shapes.items()}
    place(form, outputs["map16"], 1, 2, 1, numbers)
    return task.found(outputs)


@pytest.mark.parametrize("form", FORMS)
def test_yolov5_squares_twice_the_sigmoid(form):
    boxes = run(form, "yolov5", (0, 0, 0, np.log(3), 20, -20, np.log(9)))
    # σ(0) = ½: centre (2.5·16, 1.5·16); the width of the anchor (62, 45), 2.25 times its height.
    height = 45 * 2.25
    expected = [40 - 31, 24 - height / 2, 40 + 31, 24 + height / 2]
    assert boxes.corners[0].tolist() == pytest.approx(expected, rel=1e-5)
    assert boxes.classes.tolist() == [1] and boxes.scores.tolist() == pytest.approx([0.9])


@pytest.mark.parametrize("form", FORMS)
def test_yolov3_takes_the_exponential(form):
    boxes = run(form, "yolov3", (-20, 20, 0, np.log(2), 20, 20, -20))
    expected = [32 - 31, 32 - 45, 32 + 31, 32 + 45]  # the corner of the cell at the lower left
    assert boxes.corners[0].tolist() == pytest.approx(expected, rel=1e-5)


def test_yolov4_s_centres_reach_past_the_cell():
    boxes = run("cells first", "yolov4", (-20, 20, 0, 0, 20, 20, -20))
    x, y = (2 - 0.05) * 16, (2 + 0.05) * 16
    expected = [x - 38, y - 27.5, x + 38, y + 27.5]
    assert boxes.corners[0].tolist() == pytest.approx(expected, rel=1e-5)


def test_anchors_may_be_given():
    boxes = run("cells first", "yolov7", (0, 0, 0, 0, 20, 20, -20), anchors=",".join(["8"] * 18))
    assert boxes.corners[0].tolist() == pytest.approx([36, 20, 44, 28])


def test_the_family_shows_in_the_activation():
    shapes = {f"map{s}": FORMS["channels first"](*CELLS[s]) for s in STRIDES}
    for operator, family in (("leaky_relu", "yolov3"), ("silu", "yolov5")):
        network = detector(shapes, (48, 64), last=dict.fromkeys(shapes, operator))
        assert task_for(network).family == family


def test_probabilities_are_taken_as_they_are():
    shapes = {f"map{s}": FORMS["cells first"](*CELLS[s]) for s in STRIDES}
    task = task_for(detector(shapes, (48, 64), last=dict.fromkeys(shapes, "sigmoid"), boxes="yolov5"))
    outputs = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    outputs["map32"][0, 1, 0, 0] = (0.5, 0.5, 0.5, 0.5, 0.8, 0.1, 0.5)
    boxes = task.found(outputs)
    assert boxes.scores.tolist() == pytest.approx([0.4])
    assert boxes.corners[0].tolist() == pytest.approx([16 - 58, 48 - 45, 16 + 58, 48 + 45])


@pytest.mark.parametrize(
    ("anchors", "words"),
    [
        ("1,2,3,4", "anchors: 4 numbers were given; 3 anchors at each of 3 strides are 18"),
        ("0," + ",".join(["8"] * 17), "anchors: 0 is no side of an anchor; sides are above 0"),
    ],
)
def test_anchors_that_do_not_fit_are_refused(anchors, words):
    with pytest.raises(NetworkError) as error:
        run("cells first", "yolov5", 0, anchors=anchors)
    assert str(error.value) == words
