import json

import pytest

from videoquant.errors import NetworkError
from videoquant.network.preprocessing import Preprocessing
from videoquant.tasks.classification import Classification
from videoquant.tasks.landmarks import BodyLandmarks, Landmarks
from videoquant.tasks.pose import Keypoints
from videoquant.tasks.segmentation import Segmentation
from videoquant.tasks.stored import task_from_json, task_to_json
from videoquant.tasks.super_resolution import SuperResolution

SIZE, PREPROCESSING = (32, 48), Preprocessing(fit="pad")
KNOWN = ("out", SIZE, PREPROCESSING)
TASKS = [
    Classification(*KNOWN, True),
    Segmentation(*KNOWN, 0.5, 3),
    Keypoints(*KNOWN, 0.0, 17, (15.0, -0.5)),
    BodyLandmarks(*KNOWN, 5, "mask", 0.0),
    BodyLandmarks(*KNOWN, 3, None, 0.0),
    Landmarks(*KNOWN, 2),
    SuperResolution(*KNOWN),
    None,
]


def stored(task, **changes):
    return json.loads(json.dumps((task_to_json(task) or {}) | changes)) or None


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_a_task_comes_back_as_it_was(task):
    assert task_from_json(stored(task), SIZE, PREPROCESSING, ("out", "mask")) == task


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "Guess"}, "task is none of Classification"),
        ({"threshold": "high"}, "threshold"),
        ({"colour": 3}, "colour"),
        ({"primary": "heat"}, "task reads 'heat', which is no output"),
    ],
)
def test_what_is_no_task_is_refused(changes, message):
    with pytest.raises(NetworkError, match=message):
        task_from_json(stored(TASKS[1], **changes), SIZE, PREPROCESSING, ("out",))
