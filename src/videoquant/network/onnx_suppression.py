"""NonMaxSuppression in a file: the network ends before it, and the detection task does what it did.

How many boxes are left changes from frame to frame, so neither it nor what comes behind it has a shape. What
it reads, every box and the scores of its classes, becomes outputs (`box_layout`); its thresholds are those
of the task (`tasks.detection.corners.OfferedBoxes`).

Files that keep classes apart by themselves suppress boxes + class · (largest coordinate + 1), or another step
in its place, as one class (torchvision's `batched_nms`, YOLOv5's). There the boxes before that are meant, and
each one's score is that of its class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from videoquant.network.box_layout import OFFERED_BOXES, OFFERED_SCORES
from videoquant.network.builder import Builder, OperatorContext, Value
from videoquant.network.graph import Node
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
    boxes, scores = _together(site, boxes, scores)
    if center_point_box:
        centre, size = site.split(boxes, 2, [2, 2])
        half = site.emit("mul", size, site.value(0.5), part="half")
        ends = [site.emit(op, centre, half, part=part) for op, part in (("sub", "first"), ("add", "last"))]
        boxes = site.emit("concat", *ends, part="corners", dim=2)
    return Suppression({OFFERED_BOXES: boxes, OFFERED_SCORES: site.permute(scores, (0, 2, 1))}, said)


def _together(site: OperatorContext, boxes: Value, scores: Value) -> tuple[Value, Value]:
    """Boxes 1×P×4 where they were before classes were moved apart, and scores 1×C×P of every class.

    Boxes that nothing moved, and their scores, come back as they are.
    """
    builder, count = site.builder, boxes.shape[1]
    moved = _source(builder, boxes.name)
    if moved is None or moved.op != "add" or scores.shape[1] != 1:
        return boxes, scores
    for before, offset in (moved.inputs, moved.inputs[::-1]):
        labels = _labels(builder, before, offset)
        if labels is None:
            continue
        name, classes = labels
        x, label = builder.known[before], site.reshape(builder.known[name], (1, 1, count))
        numbers = site.value(torch.arange(classes).view(1, classes, 1).float())
        is_class = site.emit("equal", label, numbers, part="is_class")
        none = site.emit("constant", part="none", tensors={"value": torch.tensor(-1.0)})
        scores = site.emit("where", is_class, scores, none, part="by_class")
        return site.reshape(x, (1, count, 4)), scores
    return boxes, scores


def _labels(builder: Builder, boxes: str, offset: str) -> tuple[str, int] | None:
    """The value that holds the class of each box, where an offset is class · step; and how many there are."""
    product = _source(builder, offset)
    if product is None or product.op != "mul":
        return None
    for label, step in (product.inputs, product.inputs[::-1]):
        chosen = _source(builder, label)
        if chosen is None or not _is_step(builder, step, boxes):
            continue
        if chosen.op == "argmax" or (chosen.op == "topk_indices" and chosen.attributes["k"] == 1):
            shape = builder.known[chosen.inputs[0]].shape
            return chosen.name, shape[chosen.attributes["dim"]]
        if chosen.op == "constant":
            values = builder.tensors[f"{chosen.name}.value"]
            if values.numel() > 1 and bool((values == values.round()).all() and (values >= 0).all()):
                return chosen.name, int(values.max()) + 1
    return None


def _is_step(builder: Builder, value: str, boxes: str) -> bool:
    """Whether a value is a number that tells classes apart: a constant, or the largest of boxes and more."""
    node = _source(builder, value)
    if node is not None and node.op == "add":
        inputs = [_source(builder, name) for name in node.inputs]
        tops = [one.inputs[0] for one in inputs if one is not None and one.op == "amax"]
        return any(_origin(builder, top) == _origin(builder, boxes) for top in tops)
    return node is not None and node.op == "constant" and builder.tensors[f"{node.name}.value"].numel() == 1


def _source(builder: Builder, value: str) -> Node | None:
    """The node that gives a value, before it was put into other shapes."""
    return builder.nodes.get(_origin(builder, value))


def _origin(builder: Builder, value: str) -> str:
    node = builder.nodes.get(value)
    while node is not None and node.op in ("reshape", "expand"):
        value = node.inputs[0]
        node = builder.nodes.get(value)
    return value
