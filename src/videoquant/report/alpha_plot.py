"""The plot of an α search: fidelity against α, as a file of its own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from videoquant.calibration.alpha import LADDER, AlphaCurve
from videoquant.network.graph import Network
from videoquant.report.palette import COLORS, INK, MUTED, RULE
from videoquant.report.plot_file import write_plot
from videoquant.report.plot_style import new_figure, style_axes, title
from videoquant.report.table import heading
from videoquant.tasks import primary_output, task_for

DECADES = (0.9, 0.99, 0.999, 0.9999, 0.99999)
MOST_TICKS = 9  # more labels like 0.99998 would touch
EDGE = 0.5  # decades from the last α below 1 to where α = 1 is drawn


def write_alpha_plot(curve: AlphaCurve, network: Network, path: str | Path) -> None:
    """Draw `alpha_plot` into an SVG or PNG file, by the suffix of `path`; errors as of `check_plot`."""
    numbers = [{"alpha": point.alpha, "sqnr_db": point.sqnr_db} | point.agreement for point in curve.points]
    write_plot(lambda: alpha_plot(curve, network), numbers, path)


def alpha_plot(curve: AlphaCurve, network: Network) -> Figure:
    """SQNR, and below it the task's first measure if it was taken, against α on a log scale of 1 − α.

    Such a scale never reaches α = 1: it stands apart, at the right edge. Call it inside `style()`.
    """
    task = task_for(network)
    measure = task.measures[0] if task else None
    if measure and not any(measure.name in point.agreement for point in curve.points):
        measure = None
    figure = new_figure(6.0 if measure else 3.6)
    panels = figure.subplots(2 if measure else 1, 1, sharex=True, squeeze=False)[:, 0]
    alphas = [point.alpha for point in curve.points]
    places = positions(alphas)
    best = alphas.index(curve.best)
    _panel(panels[0], places, [point.sqnr_db for point in curve.points], best, alphas[-1] == 1)
    title(panels[0], f"SQNR of {primary_output(network)} in dB ↑")
    if measure:
        values = [point.agreement.get(measure.name, math.nan) for point in curve.points]
        _panel(panels[1], places, values, best, alphas[-1] == 1)
        title(panels[1], heading(measure))
    _alpha_axis(panels[-1], alphas, places)
    mark = Line2D([], [], color=COLORS[1], marker="o", markersize=7, linestyle="")
    legend = figure.legend(
        [mark],
        [f"best: {curve.scheme}"],
        loc="outside upper left",
        frameon=False,
        labelcolor=INK,
        handletextpad=0.4,
        title=f"{network.name}, {curve.frames} calibration frames, against fp32",
        alignment="left",
    )
    legend.get_title().set_color(MUTED)
    return figure


def positions(alphas: list[float]) -> list[float]:
    """Where each α stands: at the decades of 1 − α, counted to the right; 1 is `EDGE` beyond the last."""
    finite = [-math.log10(1 - alpha) for alpha in alphas if alpha < 1]
    edge = max(finite, default=0.0) + EDGE
    return [-math.log10(1 - alpha) if alpha < 1 else edge for alpha in alphas]


def _panel(axes: Axes, places: list[float], values: list[float], best: int, with_edge: bool) -> None:
    style_axes(axes)
    axes.margins(y=0.14)
    axes.ticklabel_format(axis="y", useOffset=False)
    last = len(places) - 1 - with_edge
    dots: dict[str, Any] = {"marker": "o", "markersize": 4, "color": COLORS[0], "linewidth": 1.4}
    axes.plot(places[: last + 1], values[: last + 1], **dots)
    # No scale leads to α = 1, so that no solid line does.
    axes.plot(places[last:], values[last:], linestyle=(0, (2, 3)), **dots)
    axes.axvline(places[best], color=RULE, linewidth=0.8, zorder=0)
    axes.plot(places[best], values[best], "o", color=COLORS[1], markersize=7, mec="white", mew=0.7, zorder=4)


def _alpha_axis(axes: Axes, alphas: list[float], places: list[float]) -> None:
    """Ticks at the search's own α where there is room for their names, else at whole decades."""
    ticks = {alpha: place for alpha, place in zip(alphas, places, strict=True) if alpha in LADDER}
    if len(ticks) > MOST_TICKS:
        ticks = {alpha: place for alpha, place in ticks.items() if alpha in (*DECADES, 1)}
    axes.set_xticks(list(ticks.values()), ["α = 1" if alpha == 1 else f"{alpha:g}" for alpha in ticks])
    axes.margins(x=0.03)
    axes.set_xlabel("α, on a log scale of 1 − α: the share of values above the range")
