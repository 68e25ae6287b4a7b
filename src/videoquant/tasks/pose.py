"""Pose from heatmaps: keypoint peaks, how many two heatmaps share, and people assembled from them.

The assembly is PoseNet's (Papandreou et al., PersonLab, ECCV 2018): from the strongest peak, step along a
tree of keypoints by the displacements that the network gives beside the heatmap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from videoquant.tasks.base import Graph, Measure, Task, one, probability, threshold_of
from videoquant.tasks.drawing import LEFT, MIDDLE, RIGHT, Canvas, Window

KEYPOINT_F1 = Measure("keypoint_f1", "keypoint F1")

# COCO's 17 keypoints: nose, then left (odd) and right (even) eye, ear, shoulder, elbow, wrist, hip, knee,
# ankle.
COCO_POINTS = 17
COCO_BONES = (
    (0, 1), (0, 2), (1, 3), (2, 4), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12),
    (11, 13), (13, 15), (12, 14), (14, 16),
)  # fmt: skip
# The (parent, child) of PoseNet's displacement channels: channel e is the y and e + 16 the x of edge e.
TREE = (
    (0, 1), (1, 3), (0, 2), (2, 4), (0, 5), (5, 7), (7, 9), (5, 11), (11, 13), (13, 15),
    (0, 6), (6, 8), (8, 10), (6, 12), (12, 14), (14, 16),
)  # fmt: skip
# A person is found by a peak above the threshold; its other keypoints are drawn from this probability on.
PART = 0.25
_MAX_PEOPLE = 20  # drawn; a broken network could show hundreds


@dataclass(frozen=True)
class Keypoints(Task):
    """Keypoints of any number of people, from one output K×h×w of scores, a channel per keypoint.

    threshold: a keypoint is where the score is above it (probability 0.5, PoseNet's own default), see
        `threshold_of`.
    channels: K.
    start: see `first_centre`.

    Further outputs that draw it better where present: "offset" (2K×h×w, from the cell to the point in pixels
    of the input; y first, then x), "displacement_fwd" and "displacement_bwd" (see `people`).
    """

    name: ClassVar[str] = "pose"

    threshold: float
    channels: int
    start: tuple[float, float]

    @classmethod
    def of(cls, network: Graph) -> Keypoints | None:
        """The task by the first output with "heatmap" in its name; None where there is none."""
        for output, value in network.outputs.items():
            shape = network.shapes[value]
            if "heatmap" in output.lower() and len(shape) == 4:
                threshold, start = threshold_of(network, output), first_centre(network, value)
                return cls(output, network.size, network.preprocessing, threshold, shape[1], start)
        return None

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (KEYPOINT_F1,)

    def draw(self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any]) -> NDArray[np.uint8]:
        """The people found (see `people`), each a COCO skeleton of the keypoints above `PART`.

        Without displacements, or for another set than COCO's, the peaks as dots; the skeleton joins them
        where no keypoint has a second peak.
        """
        heatmap = np.nan_to_num(one(outputs, self.primary), nan=-np.inf, posinf=-np.inf, neginf=-np.inf)
        # A broken network can send a point anywhere; past a million pixels it is out of sight anyway.
        field = {
            name: np.nan_to_num(one(outputs, name)).clip(-1e6, 1e6) for name in outputs if name in _FIELDS
        }
        window = Window((pixels.shape[0], pixels.shape[1]), self.size, self.preprocessing)
        canvas = Canvas(pixels)
        colors = [MIDDLE if k == 0 else LEFT if k % 2 else RIGHT for k in range(self.channels)]
        if self.channels == COCO_POINTS and all(name in field for name in _FIELDS):
            offset, forward, backward = (field[name] for name in _FIELDS)
            found = people(heatmap, offset, forward, backward, self.size, self.start, self.threshold)
            for points, scores in found:
                shown = (probability(scores, self.threshold) > PART).tolist()
                canvas.skeleton(window.points(points), shown, COCO_BONES, colors)
            return canvas.picture()
        places = positions(heatmap, field.get("offset"), self.size, self.start)
        marks = np.argwhere(peaks(heatmap, self.threshold))
        single = self.channels == COCO_POINTS and len(marks) == len(np.unique(marks[:, 0]))
        points = np.full((self.channels, 2), np.nan, dtype=np.float32)
        for k, row, column in marks.tolist():
            points[k] = places[:, k, row, column]
            if not single:
                canvas.skeleton(window.points(points[k : k + 1]), [True], (), colors[k : k + 1])
        if single:
            canvas.skeleton(window.points(points), [True] * len(points), COCO_BONES, colors)
        return canvas.picture()


_FIELDS = ("offset", "displacement_fwd", "displacement_bwd")


def peaks(heatmap: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """Where a channel of K×h×w is above the threshold and the largest of its 3×3 neighbourhood: bool K×h×w.

    Of equal neighbours the first in reading order is the peak, so no two peaks of a channel touch.
    """
    height, width = heatmap.shape[1:]
    padded = np.pad(heatmap, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    result: NDArray[np.bool_] = heatmap > threshold
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if (dy, dx) != (0, 0):
                neighbour = padded[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
                earlier = (dy, dx) < (0, 0)
                result &= heatmap > neighbour if earlier else heatmap >= neighbour
    return result


def positions(
    heatmap: NDArray[np.float32],
    offset: NDArray[np.float32] | None,
    size: tuple[int, int],
    start: tuple[float, float],
) -> NDArray[np.float32]:
    """The point (x, y) in pixels of the input that each cell of K×h×w stands for: 2×K×h×w.

    It is start + cell · stride + offset.
    size: (height, width) of the input.
    start: see `first_centre`.
    offset: 2K×h×w in pixels, y, then x; None for none.
    """
    channels, height, width = heatmap.shape
    rows = start[0] + (np.arange(height) * size[0]).astype(np.float32) / np.float32(height)
    columns = start[1] + (np.arange(width) * size[1]).astype(np.float32) / np.float32(width)
    places: NDArray[np.float32] = np.empty((2, channels, height, width), np.float32)
    places[0], places[1] = columns, rows[:, None]
    return places if offset is None else places + np.stack([offset[channels:], offset[:channels]])


def people(
    heatmap: NDArray[np.float32],
    offset: NDArray[np.float32],
    forward: NDArray[np.float32],
    backward: NDArray[np.float32],
    size: tuple[int, int],
    start: tuple[float, float],
    threshold: float,
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Every person as (points P×2 as (x, y) in pixels of the input, scores P), strongest peak first.

    heatmap: P×h×w.
    offset, size, start: see `positions`.
    forward, backward: 32×h×w, the way in pixels from parent to child and back, along `TREE`.

    A peak close to the same keypoint of a person already found belongs to that person.
    """
    places = positions(heatmap, offset, size, start)
    height, width = heatmap.shape[1:]
    stride = np.array([size[1] / width, size[0] / height], dtype=np.float32)
    close = 2 * float(stride.max())
    origin, last = np.array(start[::-1], dtype=np.float32), np.array([width - 1, height - 1])

    def cell(point: NDArray[np.float32]) -> tuple[int, int]:
        column, row = np.clip(np.rint((point - origin) / stride), 0, last).astype(int)
        return int(row), int(column)

    def step(
        point: NDArray[np.float32], edge: int, way: NDArray[np.float32], target: int
    ) -> tuple[NDArray[np.float32], float]:
        row, column = cell(point)
        guess = point + way[[edge + len(TREE), edge], row, column]
        row, column = cell(guess)
        # Twice: the cell nearest to the first guess may not be the one nearest to the refined point.
        row, column = cell(places[:, target, row, column])
        return places[:, target, row, column], float(heatmap[target, row, column])

    found: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    candidates = np.argwhere(peaks(heatmap, threshold))
    order = np.argsort(-heatmap[tuple(candidates.T)], kind="stable")
    for root, row, column in candidates[order].tolist():
        anchor = places[:, root, row, column]
        if len(found) == _MAX_PEOPLE:
            break
        if any(np.linalg.norm(points[root] - anchor) <= close for points, _ in found):
            continue
        points = np.full((len(heatmap), 2), np.nan, dtype=np.float32)
        scores = np.full(len(heatmap), -np.inf, np.float32)
        points[root], scores[root] = anchor, heatmap[root, row, column]
        # Children to parents from the leaves up, then parents to children: every keypoint is reached once.
        for edge, (parent, child) in reversed(list(enumerate(TREE))):
            if np.isfinite(points[child, 0]) and np.isnan(points[parent, 0]):
                points[parent], scores[parent] = step(points[child], edge, backward, parent)
        for edge, (parent, child) in enumerate(TREE):
            if np.isfinite(points[parent, 0]) and np.isnan(points[child, 0]):
                points[child], scores[child] = step(points[parent], edge, forward, child)
        found.append((points, scores))
    return found


def first_centre(network: Graph, value: str) -> tuple[float, float]:
    """The pixel (y, x) of the input at the centre of what a map's first cell sees.

    It follows kernels, strides and paddings: a network padded unevenly (TensorFlow's "SAME") at stride 16
    sees 15 pixels further down and right than one padded evenly. Where a resize or the like stands between,
    the middle of the cell.
    """
    known = {
        network.input: (np.zeros(2), np.ones(2))
    }  # value: (centre of its first cell, distance of two cells)
    for node in network.nodes:
        source = next((name for name in node.inputs if name in known), None)
        if source is None:
            continue
        first, apart = known[source]
        if node.op in ("conv2d", "max_pool2d", "avg_pool2d"):
            a = node.attributes
            kernel = np.array(
                network.tensors[f"{node.name}.weight"].shape[2:] if node.is_layer else a["kernel"]
            )
            reach = (kernel - 1) * np.array(a.get("dilation", (1, 1))) / 2 - np.array(a["padding"][:2])
            known[node.name] = (first + reach * apart, apart * np.array(a["stride"]))
        elif node.op == "pad":
            left, _, top, _ = (*node.attributes["padding"], 0, 0)[:4]
            known[node.name] = (first - np.array([top, left]) * apart, apart)
        elif network.shapes[node.name][2:] == network.shapes[source][2:] and node.op not in (
            "reshape",
            "permute",
        ):
            known[node.name] = known[source]
    if value in known:
        return float(known[value][0][0]), float(known[value][0][1])
    height, width = network.shapes[value][2:]
    return (network.size[0] / height - 1) / 2, (network.size[1] / width - 1) / 2
