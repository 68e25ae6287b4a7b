"""NonMaxSuppression in a file: the network ends before it, and the detection task does what it did.

How many boxes are left changes from frame to frame, so neither it nor what comes behind it has a shape. What
it reads, every box and the scores of its classes, becomes outputs (`box_layout`); its thresholds are those
of the task (`tasks.detection.corners.OfferedBoxes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from videoquant.network.box_layout import OFFERED_BOXES, OFFERED_SCORES
from videoquant.network.builder import OperatorContext, Value
from videoquant.network.onnx_constants import Constant


@dataclass(frozen=True)
class Suppression:
    """A NonMaxSuppression, and what stands for each of its results, and for what is computed from these.

    outputs: what it reads, by the names that the network gives it.
    said: its thresholds, as metadata says them.
    """

    outputs: dict[str, Value]
    said: dict[str, str]


def suppression(
    site: OperatorContext,
    inputs: Sequence[Value | Constant | None],
    given: Mapping[str, str],
    center_point_box: int = 0,
) -> Suppression:
    """What a NonMaxSuppression says. given: options, whose thresholds overrule it."""
    boxes, scores, _, overlap, score = (*inputs, None, None, None)[:5]
    if not isinstance(boxes, Value) or not isinstance(scores, Value):
        raise site.refuse("its boxes or scores are constants")
    if len(boxes.shape) != 3 or boxes.shape[0] != 1 or boxes.shape[2] != 4 or len(scores.shape) != 3:
        raise site.refuse(f"its boxes {boxes.shape} and scores {scores.shape} are not those of one frame")
    said = {"task": "detection"}
    for key, what, threshold in (("score", "score", score), ("overlap", "iou", overlap)):
        if key in given:
            continue
        if not isinstance(threshold, np.ndarray) or threshold.size != 1:
            kind = "is computed at run time" if isinstance(threshold, Value) else "is left out"
            raise site.refuse(f"its {what}_threshold {kind}; give one, --{key}")
        said[key] = repr(min(max(float(threshold.flat[0]), 0.0), 1.0))
    if center_point_box:
        centre, size = site.split(boxes, 2, [2, 2])
        half = site.emit("mul", size, site.value(0.5), part="half")
        ends = [site.emit(op, centre, half, part=part) for op, part in (("sub", "first"), ("add", "last"))]
        boxes = site.emit("concat", *ends, part="corners", dim=2)
    return Suppression({OFFERED_BOXES: boxes, OFFERED_SCORES: site.permute(scores, (0, 2, 1))}, said)
