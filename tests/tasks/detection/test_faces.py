import numpy as np
import pytest

from tests.detectors import detector
from videoquant.tasks import task_for
from videoquant.tasks.detection.faces import CenterBoxes, DistanceFaces, PriorFaces

CELLS = {8: 64, 16: 16, 32: 4}  # of a 64×64 input


def test_centerface_s_sizes_are_logarithms_of_strides():
    shapes = {"heat": (1, 1, 16, 16), "scale": (1, 2, 16, 16), "offset": (1, 2, 16, 16)}
    task = task_for(detector(shapes | {"points": (1, 10, 16, 16)}, last={"heat": "sigmoid"}))
    assert type(task) is CenterBoxes and task.outputs == ("heat", "scale", "offset") and task.activated
    outputs = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    outputs["heat"][0, 0, 6, 5] = 0.9
    outputs["scale"][0, :, 6, 5] = np.log([3, 2])  # height, width
    outputs["offset"][0, :, 6, 5] = 0.25, -0.5  # down, across
    # The centre is ((5 − 0.5 + 0.5)·4, (6 + 0.25 + 0.5)·4).
    corners = task.found(outputs).corners[0].tolist()
    assert corners == pytest.approx([20 - 4, 27 - 6, 20 + 4, 27 + 6])


def test_retinaface_s_boxes_stand_against_priors():
    count = 2 * sum(CELLS.values())
    shapes = {"boxes": (1, count, 4), "scores": (1, count, 2), "points": (1, count, 10)}
    task = task_for(detector(shapes, last={"scores": "softmax"}))
    assert type(task) is PriorFaces and task.outputs == ("scores", "boxes") and task.activated
    outputs = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    index = 2 * 64 + 2 * (1 * 4 + 2) + 1  # cell (2, 1) at stride 16, its prior of 128
    outputs["scores"][0, index] = 0.2, 0.8
    outputs["boxes"][0, index] = 0.5, 0, np.log(2) / 0.2, 0
    # Prior centre (40, 24): x moves by 0.1 · 0.5 · 128.
    corners = task.found(outputs).corners[0].tolist()
    assert corners == pytest.approx([46.4 - 128, 24 - 64, 46.4 + 128, 24 + 64], rel=1e-5)


@pytest.mark.parametrize("batch", [(1,), ()])
@pytest.mark.parametrize("per_cell", [1, 2])
def test_scrfd_s_distances_are_strides(batch, per_cell):
    shapes = {}
    for what, channels in (("score", 1), ("box", 4), ("points", 10)):
        shapes |= {f"{what}{s}": (*batch, per_cell * n, channels) for s, n in CELLS.items()}
    task = task_for(detector(shapes, last={f"score{s}": "sigmoid" for s in CELLS}))
    assert type(task) is DistanceFaces and task.per_cell == per_cell
    outputs = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    index = per_cell * (1 * 2 + 0) + per_cell - 1  # cell (0, 1) at stride 32
    outputs["score32"].reshape(-1)[index] = 0.7
    outputs["box32"].reshape(-1, 4)[index] = 0, 1, 1, 0.5
    boxes = task.found(outputs)
    assert boxes.corners.tolist() == [[0, 0, 32, 48]] and boxes.scores.tolist() == pytest.approx([0.7])
