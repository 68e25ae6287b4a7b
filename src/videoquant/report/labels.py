"""Names beside the points of a scatter plot, placed where they cover neither points nor one another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from videoquant.report.palette import MUTED

if TYPE_CHECKING:  # the page places its names without Matplotlib
    from matplotlib.axes import Axes

FONT_SIZE = 8.0
MARKER_RADIUS = 5.0
# Where a label may stand: the side of the point, in the order of preference, and the distance in points.
_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
_DISTANCES = (8.0, 14.0, 22.0, 32.0, 44.0, 58.0)
_LEADER = 15.0  # from this distance on a line leads to the point
_PASSES = 3


@dataclass(frozen=True)
class Box:
    """A rectangle in points of the figure."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.top - self.bottom)


@dataclass(frozen=True)
class Place:
    """Where a label stands: its box, and how far its nearest edge is from the point."""

    box: Box
    distance: float


def place(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    inside: Box,
    lines: Sequence[Box] = (),
) -> list[Place]:
    """A place for the label of every point, all in points of the figure.

    points: (x, y).
    sizes: (width, height) of each label.
    inside: where labels may stand.
    lines: what else they should not cover.

    Each label takes the place that covers least of the other labels, the markers and the lines; the nearest
    of equals. A few passes let early labels make way for later ones.
    """
    r = MARKER_RADIUS
    markers = [Box(x - r, y - r, x + r, y + r) for x, y in points] + list(lines)
    chosen: list[Place | None] = [None] * len(points)
    for _ in range(_PASSES):
        for index, (point, size) in enumerate(zip(points, sizes, strict=True)):
            taken = markers + [p.box for i, p in enumerate(chosen) if p and i != index]
            spots = _candidates(point, size)
            chosen[index] = spots[int(np.argmin(_costs(spots, taken, inside)))]
    return [p for p in chosen if p]


def add_labels(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    colors: Sequence[str],
    stairs: Sequence[tuple[float, float]] = (),
) -> None:
    """Write a name beside every point of `axes`, off the line through `stairs` (both in data coordinates).

    stairs: the corners of a line that runs right and up or down by turns. The figure's layout is settled
    first and stays: labels are placed for the size it then has.
    """
    if not points:
        return
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    texts_at = [
        axes.annotate(text, (0, 0), xycoords="figure points", fontsize=FONT_SIZE, color=color, zorder=5)
        for text, color in zip(texts, colors, strict=True)
    ]
    extents = [text.get_window_extent() for text in texts_at]
    pixels = _pixels(axes, points)
    corners = _pixels(axes, stairs) if stairs else []
    lines = [
        Box(min(ax, bx) - 1, min(ay, by) - 1, max(ax, bx) + 1, max(ay, by) + 1)
        for (ax, ay), (bx, by) in pairwise(corners)
    ]
    area = axes.get_window_extent()
    inside = Box(area.x0, area.y0, area.x1, area.y1)
    places = place(pixels, [(extent.width, extent.height) for extent in extents], inside, lines)
    for text, extent, point, spot in zip(texts_at, extents, pixels, places, strict=True):
        # The text's anchor is its baseline; what was measured is the box of the ink around it.
        text.set_position((spot.box.left - extent.x0, spot.box.bottom - extent.y0))
        if spot.distance >= _LEADER:
            x = min(max(point[0], spot.box.left), spot.box.right)
            y = min(max(point[1], spot.box.bottom), spot.box.top)
            axes.annotate(
                "",
                point,
                (x, y),
                xycoords="figure points",
                textcoords="figure points",
                arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 5},
                zorder=2,
            )


def _pixels(axes: Axes, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in axes.transData.transform(list(points))]


def _candidates(point: tuple[float, float], size: tuple[float, float]) -> list[Place]:
    """Every place a label may take, the preferred ones first."""
    (x, y), (width, height) = point, size
    result = []
    for distance in _DISTANCES:
        for dx, dy in _DIRECTIONS:
            reach = distance / math.hypot(dx, dy)
            left = x + dx * reach - width * (1 - dx) / 2
            bottom = y + dy * reach - height * (1 - dy) / 2
            result.append(Place(Box(left, bottom, left + width, bottom + height), distance))
    return result


def _costs(spots: Sequence[Place], taken: Sequence[Box], inside: Box) -> NDArray[np.float64]:
    """Of each spot what it covers, or lies outside, and a little for its distance."""
    left, bottom, right, top = np.array([_sides(spot.box) for spot in spots]).T[..., None]
    others = np.array([_sides(box) for box in (inside, *taken)]).T
    width = np.minimum(right, others[2]) - np.maximum(left, others[0])
    height = np.minimum(top, others[3]) - np.maximum(bottom, others[1])
    covered = width.clip(0) * height.clip(0)
    outside = ((right - left) * (top - bottom))[:, 0] - covered[:, 0]
    distances = np.array([spot.distance for spot in spots])
    return 10 * (covered[:, 1:].sum(1) + outside) + distances  # type: ignore[no-any-return]


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.bottom, box.right, box.top
