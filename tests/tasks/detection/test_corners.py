import numpy as np
import pytest

from tests.detectors import detector
from videoquant.errors import NetworkError
from videoquant.tasks import task_for
from videoquant.tasks.detection.corners import CornerBoxes, ListedBoxes

CELLS = 8 * 8 + 4 * 4 + 2 * 2  # of a 64×64 input at strides 8, 16 and 32


def run(network, index, box, scores):
    task = task_for(network)
    outputs = {name: np.zeros(network.shapes[v], np.float32) for name, v in network.outputs.items()}
    outputs[task.outputs[0]][0, :] = -20 if task.activation else 0
    outputs[task.outputs[0]][0, index] = scores
    outputs[task.outputs[1]][0, index] = box
    return task, task.found(outputs)


def test_yolo_nas_is_corners_in_pixels():
    network = detector({"b": (1, CELLS, 4), "s": (1, CELLS, 3)}, last={"s": "sigmoid"})
    task, boxes = run(network, 5, (1, 2, 30, 40), (0.1, 0.8, 0.2))
    assert type(task) is CornerBoxes and task.family == "yolo-nas" and task.classes == 3
    assert boxes.corners.tolist() == [[1, 2, 30, 40]] and boxes.classes.tolist() == [1]


def test_yolov4_s_export_is_corners_in_shares():
    network = detector({"boxes": (1, 3 * CELLS, 1, 4), "confs": (1, 3 * CELLS, 3)}, (64, 64))
    task, boxes = run(network, 5, (0.25, 0.5, 0.5, 0.75), (-20, 20, -20))
    assert task.family == "yolov4" and boxes.corners.tolist() == [[16, 32, 32, 48]]


def test_ssd_s_first_class_is_nothing():
    network = detector({"s": (1, 50, 3), "b": (1, 50, 4)}, (64, 128), last={"s": "softmax"})
    task, boxes = run(network, 5, (0.25, 0.5, 0.5, 0.75), (0.1, 0.2, 0.7))
    assert task.family == "ssd" and task.classes == 2 and task.background
    assert boxes.corners.tolist() == [[32, 32, 64, 48]] and boxes.classes.tolist() == [1]
    task, boxes = run(network, 5, (0.25, 0.5, 0.5, 0.75), (0.9, 0.05, 0.05))
    assert len(boxes) == 0


def test_ssd_s_anchors_may_be_given():
    anchors = np.tile(np.array([0.5, 0.5, 0.25, 0.25]), (50, 1))
    network = detector(
        {"s": (1, 50, 2), "b": (1, 50, 4)}, (64, 64), boxes="ssd", anchors=",".join(map(str, anchors.ravel()))
    )
    task, boxes = run(network, 5, (1, 0, np.log(2) / 0.2, 0), (-20, 20))
    assert task.activation == "softmax"
    # The centre moves by 0.1 of the anchor's width, the width doubles: in shares 0.525 ± 0.25, 0.5 ± 0.125.
    assert boxes.corners[0].tolist() == pytest.approx([17.6, 24, 49.6, 40], rel=1e-5)


def test_anchors_that_do_not_fit_are_refused():
    flat = ",".join(["0.5", "0.5", "0.1", "0"] * 50)
    with pytest.raises(NetworkError, match="anchors: widths and heights, the third and fourth of each four,"):
        task_for(detector({"s": (1, 50, 2), "b": (1, 50, 4)}, boxes="ssd", anchors=flat))
    with pytest.raises(NetworkError) as error:
        task_for(detector({"s": (1, 50, 2), "b": (1, 50, 4)}, boxes="ssd", anchors="1,2,3,4"))
    assert str(error.value) == (
        "anchors: 4 numbers were given; 50 boxes have 200, of each the centre x and y, the width and the "
        "height"
    )


@pytest.mark.parametrize("tensorflow", [True, False])
def test_lists_are_what_their_names_say(tensorflow):
    names = ["detection_boxes", "detection_scores", "detection_classes"]
    names = names if tensorflow else ["det_boxes", "det_scores", "det_classes"]
    shapes = dict(zip(names, ((1, 9, 4), (1, 9), (1, 9)), strict=True)) | {"num": (1, 1)}
    task = task_for(detector(shapes, (64, 128)))
    assert type(task) is ListedBoxes and task.overlap == 1
    outputs = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    outputs[names[0]][0, 3] = (0.25, 0.5, 0.5, 0.75) if tensorflow else (64, 16, 96, 32)
    outputs[names[1]][0, 3], outputs[names[2]][0, 3] = 0.9, 2
    boxes = task.found(outputs)
    assert boxes.corners.tolist() == [[64, 16, 96, 32]]
    assert boxes.classes.tolist() == [1 if tensorflow else 2]
