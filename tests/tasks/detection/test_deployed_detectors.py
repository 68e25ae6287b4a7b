"""Detectors as packages ship them: which family they are taken for, and what they find beside plain loops."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import videoquant as vq
from videoquant.tasks import task_for
from videoquant.tasks.detection.distances import DistanceBoxes
from videoquant.tasks.detection.faces import CenterBoxes
from videoquant.tasks.detection.text import TextBoxes
from videoquant.tasks.detection.yolo import ScoredBoxes

# name: (size, what is said, the class, how many classes of things)
NETWORKS = {
    "nudenet_yolov8n": (None, {}, ScoredBoxes, 18),
    "humanfall_yolov8s": (None, {}, ScoredBoxes, 2),
    "slider_yolo11s_seg": (None, {}, ScoredBoxes, 1),
    "picodet_layout": (None, {"task": "detection"}, DistanceBoxes, 10),
    "centerface": ((96, 128), {"task": "detection"}, CenterBoxes, 1),
    "ppocrv4_det": ((96, 128), {"boxes": "ppocr"}, TextBoxes, 1),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_its_family_is_seen(name: str, deployed_network: Callable[[str], Path]) -> None:
    size, said, kind, classes = NETWORKS[name]
    network = vq.load(deployed_network(name), size=size, preprocessing=said)
    task = task_for(network)
    assert type(task) is kind and task.classes == classes
    assert task.names == () or len(task.names) == classes
    assert task.family == network.preprocessing.boxes.family


def test_yolov8_s_boxes_are_those_of_a_plain_loop(deployed_network: Callable[[str], Path]) -> None:
    network = vq.load(deployed_network("nudenet_yolov8n"))
    x = torch.rand(network.input_shape, generator=torch.Generator().manual_seed(0))
    outputs = network.run(x)
    (values,) = outputs.values()
    least = float(values[0, 4:].max()) / 3
    expected = []
    for x_, y, w, h, *scores in values[0].T.tolist():
        if max(scores) >= least:
            expected.append((x_ - w / 2, y - h / 2, x_ + w / 2, y + h / 2, max(scores), np.argmax(scores)))
    task = task_for(network)
    assert isinstance(task, ScoredBoxes)
    found = candidates(task, outputs, least)
    assert len(found) == len(expected) > 0
    assert np.allclose(found, np.array(expected), atol=1e-3)


def candidates(task: ScoredBoxes, outputs: dict, least: float) -> np.ndarray:
    boxes = replace(task, score=least).candidates(task.arrays(outputs))
    return np.concatenate([boxes.corners, boxes.scores[:, None], boxes.classes[:, None]], 1)
