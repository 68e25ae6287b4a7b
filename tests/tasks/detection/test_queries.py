import numpy as np
import pytest

from tests.detectors import detector
from videoquant.tasks import task_for
from videoquant.tasks.detection.queries import QueryBoxes

BOX = (0.5, 0.25, 0.25, 0.5)  # of a 64×128 input: centre (64, 16), 32×32
CORNERS = [[48, 0, 80, 32]]


def run(network, *rows):
    """What the task finds where query 5 has these values, by output, and the others nothing."""
    task = task_for(network)
    outputs = {name: np.zeros(network.shapes[v], np.float32) for name, v in network.outputs.items()}
    for name, values in zip(task.outputs, rows, strict=True):
        outputs[name][0, :] = -20 if task.activation and name != task.outputs[0] else 0
        outputs[name][0, 5] = values
    return task, task.found(outputs)


@pytest.mark.parametrize(("last", "scores"), [({}, (-20, 20, -20)), ({"s": "sigmoid"}, (0.1, 0.9, 0.1))])
def test_boxes_between_0_and_1_are_queries_centres_and_sizes(last, scores):
    network = detector({"s": (1, 30, 3), "b": (1, 30, 4)}, (64, 128), {"b": "sigmoid", **last})
    task, boxes = run(network, BOX, scores)
    assert type(task) is QueryBoxes and task.family == "rtdetr" and task.classes == 3 and task.overlap == 1
    assert boxes.corners.tolist() == CORNERS and boxes.classes.tolist() == [1]


def test_detr_s_last_class_is_nothing():
    network = detector({"s": (1, 30, 4), "b": (1, 30, 4)}, (64, 128), {"b": "sigmoid"}, boxes="detr")
    task, boxes = run(network, BOX, (0, 0, 20, 0))
    assert task.classes == 3 and boxes.corners.tolist() == CORNERS and boxes.classes.tolist() == [2]
    assert len(run(network, BOX, (0, 0, 0, 20))[1]) == 0


def test_one_output_of_both_is_read_where_the_family_is_named():
    network = detector({"y": (1, 30, 4 + 3)}, (64, 128), boxes="rtdetr")
    task, boxes = run(network, (*BOX, 0.1, 0.2, 0.8))
    assert task.classes == 3 and boxes.corners.tolist() == CORNERS and boxes.classes.tolist() == [2]
