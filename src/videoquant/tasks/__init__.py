"""Tasks: what outputs mean, how far they agree with a reference, and how they look on the frame."""

from videoquant.tasks.base import Graph, Measure, Task
from videoquant.tasks.classification import Classification
from videoquant.tasks.detection import DETECTORS
from videoquant.tasks.landmarks import BodyLandmarks, Landmarks
from videoquant.tasks.pose import Keypoints
from videoquant.tasks.segmentation import Segmentation
from videoquant.tasks.super_resolution import SuperResolution

__all__ = ["TASKS", "Measure", "Task", "primary_output", "task_for"]

# Every kind, in the order they are tried: a pose network with landmarks gives a heatmap as well.
TASKS: tuple[type[Task], ...] = (
    Classification,
    Segmentation,
    BodyLandmarks,
    Keypoints,
    Landmarks,
    SuperResolution,
    *DETECTORS,
)


def task_for(network: Graph) -> Task | None:
    """The task that the network's preprocessing names and its outputs fit; None where there is none."""
    for kind in TASKS:
        task = kind.of(network) if kind.name == network.preprocessing.task else None
        if task is not None:
            return task
    return None


def primary_output(network: Graph) -> str:
    """The name of the output that stands for the network: its task's, else its first."""
    task = task_for(network)
    return task.primary if task else next(iter(network.outputs))
