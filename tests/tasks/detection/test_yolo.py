import numpy as np
import pytest

from tests.detectors import detector
from videoquant.errors import NetworkError
from videoquant.network.graph import Network, Node
from videoquant.tasks import task_for
from videoquant.tasks.detection.yolo import FinalBoxes, ObjectBoxes, ScoredBoxes

CELLS = 8 * 8 + 4 * 4 + 2 * 2  # of a 64×64 input at strides 8, 16 and 32


def one(shape, index, values, axis):
    """An output of zeros but for one box."""
    array = np.zeros(shape, np.float32)
    if axis == 1:
        array[0, index] = values
    else:
        array[0, :, index] = values
    return array


def test_yolov8_is_centre_size_and_probabilities():
    task = task_for(detector({"out": (1, 7, CELLS)}))
    assert type(task) is ScoredBoxes and task.classes == 3 and task.rows_first
    boxes = task.found({"out": one((1, 7, CELLS), 70, (30, 20, 10, 4, 0.1, 0.2, 0.6), 2)})
    assert boxes.corners.tolist() == [[25, 18, 35, 22]]
    assert boxes.classes.tolist() == [2] and boxes.scores.tolist() == pytest.approx([0.6])


def test_the_same_the_other_way_round_needs_names_or_the_family():
    for said in ({"names": "a,b,c"}, {"boxes": "yolo11"}):
        task = task_for(detector({"out": (1, CELLS, 7)}, **said))
        assert type(task) is ScoredBoxes and not task.rows_first
        boxes = task.found({"out": one((1, CELLS, 7), 70, (30, 20, 10, 4, 0.1, 0.2, 0.6), 1)})
        assert boxes.corners.tolist() == [[25, 18, 35, 22]] and boxes.classes.tolist() == [2]


def joined(*rows, names):
    """A detector whose output is the last of concatenations, each of which adds so many rows."""
    network = detector({f"rows{i}": (1, count, CELLS) for i, count in enumerate(rows)}, names=names)
    nodes, value = [*network.nodes], "rows0"
    for i in range(1, len(rows)):
        nodes.append(Node(f"joined{i}", "concat", (value, f"rows{i}"), {"dim": 1}))
        value = f"joined{i}"
    of = network.input, network.input_shape, {"out": value}, network.tensors, network.preprocessing
    return Network(nodes, *of)


def test_keypoints_begin_where_they_are_joined_to_the_classes():
    posed = task_for(joined(4, 2, 6, names="a,b"))
    assert (posed.classes, posed.keypoints) == (2, 2)
    plain = task_for(joined(4, 5, names="a,b,c,d,e"))
    assert (plain.classes, plain.keypoints) == (5, 0)
    with pytest.raises(NetworkError, match=r"names of 2 classes, but the outputs \(out 1×9×84\) have 5"):
        task_for(joined(4, 5, names="a,b"))


def test_rows_of_masks_and_keypoints_are_no_classes():
    masks = {"out": (1, 4 + 2 + 32, CELLS), "protos": (1, 32, 16, 16)}
    assert task_for(detector(masks)).classes == 2
    assert task_for(detector(masks, names="a,b")).classes == 2
    assert task_for(detector({"out": (1, 4 + 1 + 51, CELLS)}, names="person")).classes == 1
    with pytest.raises(NetworkError, match="names of 3 classes"):
        task_for(detector({"out": (1, 4 + 5, CELLS)}, names="a,b,c"))


def test_yolov5_multiplies_what_is_there_with_what_it_is():
    network = detector({"out": (1, 3 * CELLS, 8)})
    task = task_for(network)
    assert type(task) is ObjectBoxes and task.classes == 3 and task.placed and task.family == "yolov5"
    boxes = task.found({"out": one((1, 3 * CELLS, 8), 200, (30, 20, 10, 4, 0.5, 0.1, 0.8, 0.2), 1)})
    assert boxes.corners.tolist() == [[25, 18, 35, 22]]
    assert boxes.classes.tolist() == [1] and boxes.scores.tolist() == pytest.approx([0.4])


def test_yolox_places_the_cells_itself():
    task = task_for(detector({"out": (1, CELLS, 7)}))
    assert type(task) is ObjectBoxes and not task.placed and task.family == "yolox"
    # Cell (column 1, row 2) of stride 16, the first of which comes after 64 of stride 8.
    values = (0.25, -0.5, np.log(2), 0, 1, 0.9, 0.1)
    boxes = task.found({"out": one((1, CELLS, 7), 64 + 2 * 4 + 1, values, 1)})
    # Centre (1.25·16, 1.5·16), size (2·16, 16).
    assert boxes.corners[0].tolist() == pytest.approx([4, 16, 36, 32])


def test_yolov6_has_placed_them_as_its_arithmetic_shows():
    task = task_for(detector({"out": (1, CELLS, 7)}, last={"out": "mul"}))
    assert type(task) is ObjectBoxes and task.placed
    boxes = task.found({"out": one((1, CELLS, 7), 0, (30, 20, 10, 4, 1, 0.9, 0.1), 1)})
    assert boxes.corners.tolist() == [[25, 18, 35, 22]]


def test_yolov10_has_suppressed_by_itself():
    task = task_for(detector({"out": (1, 300, 6)}, names="a,b,c"))
    assert type(task) is FinalBoxes and task.overlap == 1 and task.classes == 3
    values = np.zeros((1, 300, 6), np.float32)
    values[0, :2] = [(1, 2, 30, 40, 0.9, 2), (1, 2, 30, 41, 0.8, 2)]
    boxes = task.found({"out": values})
    assert boxes.corners.tolist() == [[1, 2, 30, 40], [1, 2, 30, 41]] and boxes.classes.tolist() == [2, 2]
