import numpy as np
import pytest

from tests.detectors import detector
from videoquant.tasks import task_for
from videoquant.tasks.detection.distances import DistanceBoxes

SIZES = {8: 64, 16: 16, 32: 4, 64: 1}  # cells of a 64×64 input


def peaked(*bins):
    """Logits of four distributions, each all at one bin, or half at two."""
    logits = np.full((4, 8), -100, np.float32)
    for side, value in enumerate(bins):
        logits[side, np.atleast_1d(value)] = 0
    return logits.reshape(-1)


def picodet(classes, **said):
    shapes = {f"score{s}": (1, n, classes) for s, n in SIZES.items()}
    shapes |= {f"box{s}": (1, n, 32) for s, n in SIZES.items()}
    return detector(shapes, last={f"score{s}": "sigmoid" for s in SIZES}, **said)


@pytest.mark.parametrize("classes", [3, 32])
def test_picodet_s_distances_are_means_of_distributions(classes):
    network = picodet(classes)
    task = task_for(network)
    assert type(task) is DistanceBoxes and task.classes == classes and task.strides == (8, 16, 32, 64)
    assert task.outputs == tuple(f"{what}{s}" for what in ("score", "box") for s in SIZES)
    outputs = {name: np.zeros((1, *network.shapes[v][1:]), np.float32) for name, v in network.outputs.items()}
    outputs["score16"][0, 1 * 4 + 2, 1] = 0.9
    outputs["box16"][0, 1 * 4 + 2] = peaked(1, [0, 1], 2, 3)
    # The middle of cell (2, 1) at stride 16 is (40, 24).
    boxes = task.found(outputs)
    assert boxes.corners[0].tolist() == pytest.approx([40 - 16, 24 - 8, 40 + 32, 24 + 48], abs=1e-4)
    assert boxes.classes.tolist() == [1] and boxes.scores.tolist() == pytest.approx([0.9])


def test_nanodet_has_one_output_and_begins_at_the_cell_s_corner():
    cells = sum(SIZES.values())
    task = task_for(detector({"out": (1, cells, 2 + 32)}, last={"out": "sigmoid"}))
    assert type(task) is DistanceBoxes and task.classes == 2 and task.centre == 0
    values = np.zeros((1, cells, 34), np.float32)
    values[0, 64 + 16 + 3] = np.concatenate([[0.1, 0.8], peaked(1, 1, 1, 1)])  # cell (1, 1) at stride 32
    assert task.found({"out": values}).corners[0].tolist() == pytest.approx([0, 0, 64, 64], abs=1e-4)


def test_logits_go_through_the_sigmoid():
    cells = sum(SIZES.values())
    task = task_for(detector({"out": (1, cells, 33)}, boxes="nanodet"))
    assert not task.activated
    values = np.full((1, cells, 33), -20, np.float32)
    values[0, 0, 0] = 1
    assert task.found({"out": values}).scores.tolist() == pytest.approx([1 / (1 + np.exp(-1))])
