import numpy as np
import pytest
import torch

from tests.detectors import detector
from videoquant.errors import DataError, NetworkError
from videoquant.network.preprocessing import Preprocessing
from videoquant.tasks import task_for
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.detection.detector import cells, grid, strides_for
from videoquant.tasks.stored import task_from_json, task_to_json

CELLS = 8 * 8 + 4 * 4 + 2 * 2  # of a 64×64 input at strides 8, 16 and 32


def found(*rows):
    """Outputs of a YOLOv8 with two classes: (centre x, y, width, height, score, score)."""
    values = np.zeros((1, 6, CELLS), np.float32)
    for index, row in enumerate(rows):
        values[0, :, index] = row
    return {"out": values}


YOLO = detector({"out": (1, 6, CELLS)})


def test_cells_are_counted_as_padded_convolutions_do():
    assert grid((800, 608), 64) == (13, 10)
    assert strides_for((800, 608), 7600 + 1900 + 475 + 130) == (8, 16, 32, 64)
    assert strides_for((64, 64), CELLS) == (8, 16, 32)
    assert strides_for((64, 64), 86) is None
    assert cells((16, 24), 8).tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]


def test_boxes_come_back_to_a_letterboxed_frame():
    network = detector({"out": (1, 6, CELLS)}, fit="letterbox")
    # A frame of 100×200 lies in rows 16 … 48 of the input, each pixel of which is 3.125 of the frame.
    boxes = task_for(network).boxes((100, 200), found((32, 32, 16, 16, 0.9, 0.1)))
    assert boxes.corners.tolist() == [[75, 25, 125, 75]]
    assert boxes.scores.tolist() == pytest.approx([0.9])


def test_boxes_end_where_the_frame_does_and_those_outside_go():
    network = detector({"out": (1, 6, CELLS)}, fit="letterbox")
    rows = ((32, 20, 16, 16, 0.9, 0), (32, 6, 8, 8, 0.8, 0))
    assert task_for(network).boxes((100, 200), found(*rows)).corners.tolist() == [[75, 0, 125, 37.5]]


def test_thresholds_are_the_family_s_or_those_that_are_said():
    task = task_for(YOLO)
    assert (task.score, task.overlap) == (0.25, 0.45)
    said = task_for(detector({"out": (1, 6, CELLS)}, score="0.6", overlap="0.7"))
    assert (said.score, said.overlap) == (0.6, 0.7)
    outputs = found((8, 8, 4, 4, 0.5, 0))
    assert len(task.found(outputs)) == 1 and len(said.found(outputs)) == 0
    assert len(said.found(outputs, score=0.4)) == 1


def test_what_is_not_finite_is_no_box():
    outputs = found((8, 8, 4, 4, np.nan, np.nan), (np.inf, 8, 4, 4, 0.9, 0), (30, 30, 4, 4, 0.7, 0))
    boxes = task_for(YOLO).found(outputs)
    assert boxes.scores.tolist() == pytest.approx([0.7])


def test_boxes_are_drawn_where_they_are_and_the_rest_stays():
    pixels = np.full((64, 64, 3), 90, np.uint8)
    drawn = task_for(detector({"out": (1, 6, CELLS)}, names="cat,dog")).draw(
        pixels, found((32, 40, 32, 32, 0.1, 0.8))
    )
    assert (drawn[40, 16] != 90).any() and (drawn[40, 48] != 90).any()
    assert (drawn[40, 32] == 90).all() and (drawn[60:, :8] == 90).all()
    nothing = task_for(YOLO).draw(pixels, found())
    assert np.array_equal(nothing, pixels)


def test_names_that_do_not_fit_are_refused():
    with pytest.raises(NetworkError) as error:
        task_for(detector({"out": (1, 6, CELLS)}, names="a,b,c", boxes="yolov8"))
    assert str(error.value) == (
        "names of 3 classes, but the outputs (out 1×6×84) have 2; give as many with --names, or another "
        "family with --boxes"
    )


def test_shapes_of_no_family_are_no_task():
    assert task_for(detector({"out": (1, 6, 86)})) is None
    assert task_for(detector({"out": (1, 6, CELLS)}, boxes="centerface")) is None


def test_a_missing_output_is_named():
    with pytest.raises(DataError, match=r"output 'out' is missing; there are 'other'"):
        task_for(YOLO).found({"other": np.zeros((1, 2))})


def test_a_plan_holds_it():
    network = detector({"out": (1, 6, CELLS)}, names="cat,dog", score="0.3")
    task = task_for(network)
    read = task_from_json(task_to_json(task), task.size, network.preprocessing, ["out"])
    assert read == task
    assert Preprocessing().with_text(network.preprocessing.boxes.to_text()).boxes == task.preprocessing.boxes


def both(*rows):
    return {name: torch.from_numpy(values) for name, values in found(*rows).items()}


def test_agreement_is_the_f1_of_boxes():
    agreement = agreement_for(task_for(YOLO))
    cat, dog, far = (8, 8, 8, 8, 0.9, 0), (32, 32, 8, 8, 0, 0.9), (50, 50, 8, 8, 0.9, 0)
    assert agreement.update(both(cat, dog), both(cat, far)) == {"box_f1": 0.5}
    assert agreement.update(both(), both()) == {}
    assert agreement.update(both(cat), both()) == {"box_f1": 0.0}
    assert agreement.result() == {"box_f1": 2 / 5}


def test_broken_outputs_agree_with_nothing():
    agreement = agreement_for(task_for(YOLO))
    nan = both((np.nan, 8, 8, 8, 0.1, 0))
    assert agreement.update(both(), nan) == {"box_f1": 0.0}
    assert agreement.update(both((8, 8, 8, 8, 0.9, 0)), nan) == {"box_f1": 0.0}
    with pytest.raises(DataError, match="differs in shape"):
        agreement.update(both(), {"out": torch.zeros(1, 6, 5)})
