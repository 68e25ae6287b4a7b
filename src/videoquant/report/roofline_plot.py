"""The roofline of a network on a chip: how fast each layer computes, by how much it computes per byte."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from videoquant.costs.chip import Chip, Precision, precision_text
from videoquant.costs.simulator import FrameCost
from videoquant.report.labels import add_labels
from videoquant.report.palette import COLORS, INK, MUTED
from videoquant.report.plot_file import write_plot
from videoquant.report.plot_style import new_figure, style_axes, title

NAMED = 6
LARGEST = 220.0  # square points: the area of a mark whose layer takes all the time


def write_roofline_plot(
    name: str,
    chip: Chip,
    cost: FrameCost,
    precisions: list[Precision],
    layers: Sequence[str],
    path: str | Path,
) -> None:
    """Draw `roofline_plot` into an SVG or PNG file; errors as of `plot_file.check_plot`.

    layers: their names, in the order of `cost`.
    """
    columns = ("macs", "bytes", "compute", "memory", "seconds")
    numbers = [
        {"layer": layer} | {column: getattr(cost, column)[index] for column in columns}
        for index, layer in enumerate(layers)
    ]
    write_plot(lambda: roofline_plot(name, chip, cost, precisions, layers), numbers, path)


def roofline_plot(
    name: str, chip: Chip, cost: FrameCost, precisions: list[Precision], layers: Sequence[str]
) -> Figure:
    """A mark per layer, its area by its share of the time; the roofs are the chip's bandwidth and peaks.

    name: of the network and scheme.
    precisions: whose peaks are drawn.
    layers: their names, in the order of `cost`; the `NAMED` that take longest have them beside their marks.

    Layers that move no byte, since all they read lies in the buffer, stand at the right edge. Call it inside
    `style()`.
    """
    figure = new_figure(4.6)
    axes = figure.subplots()
    rate = cost.macs / cost.seconds / 1e9
    moved = cost.bytes > 0
    intensity = cost.macs / np.where(moved, cost.bytes, np.nan)
    peaks, bandwidth = {p: chip.peak[p] / 1e9 for p in precisions}, chip.bandwidth / 1e9
    highest = max(peaks.values())
    ridge = highest / bandwidth
    right = 4 * max(np.nanmax(intensity, initial=ridge), ridge)
    left = min(np.nanmin(intensity, initial=ridge), ridge) / 4
    x = np.array([left, ridge, right])
    axes.plot(x, np.minimum(x * bandwidth, highest), color=MUTED, linewidth=1.2)
    for precision, peak in peaks.items():
        axes.plot([peak / bandwidth, right], [peak, peak], color=MUTED, linewidth=1.2)
        words = f"{precision_text(precision)} {peak:,.0f}"
        axes.annotate(words, (right, peak), (-2, 3), textcoords="offset points", ha="right", color=INK)
    axes.annotate(
        f"{bandwidth:,.0f} GB/s", (left, left * bandwidth), (8, -12), textcoords="offset points", color=INK
    )
    area = LARGEST * cost.seconds / cost.seconds.sum() + 6
    for label, chosen, color in (
        ("bound by memory", cost.memory > cost.compute, COLORS[1]),
        ("bound by computing", cost.memory <= cost.compute, COLORS[0]),
    ):
        places = np.where(moved, intensity, right)[chosen]
        axes.scatter(places, rate[chosen], s=area[chosen], color=color, alpha=0.6, linewidths=0)
        axes.scatter([], [], s=40, color=color, alpha=0.6, linewidths=0, label=label)  # for the legend
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_locator(NullLocator())
    axes.set_xlim(left, right * 1.1)
    axes.set_xlabel(
        "multiply–accumulates per byte between memory and chip (log scale); at the right edge: no byte moved"
    )
    style_axes(axes, "both")
    title(axes, f"{name} on {chip.name}: GMAC/s by layer")
    figure.legend(
        loc="outside lower left", ncols=2, frameon=False, labelcolor=INK, title="area: share of the time",
        alignment="left",
    )  # fmt: skip
    longest = np.argsort(-cost.seconds, kind="stable")[:NAMED].tolist()
    points = [(float(np.where(moved, intensity, right)[i]), float(rate[i])) for i in longest]
    texts = [f"{layers[i]} {cost.seconds[i] / cost.seconds.sum():.0%}" for i in longest]
    add_labels(axes, points, texts, [INK] * len(points))
    return figure
