"""Plots of whole schemes: fidelity against cost, and fidelity frame by frame. Each is an SVG text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from videoquant.comparison import Comparison, Row
from videoquant.report.labels import add_labels
from videoquant.report.pareto import front
from videoquant.report.plot_style import (
    FAMILY_NAMES,
    INK,
    MARKERS,
    MUTED,
    RULE,
    SIZES,
    Family,
    SeriesStyle,
    new_figure,
    series_styles,
    style,
    style_axes,
    svg,
    title,
)
from videoquant.report.table import against_labels, heading
from videoquant.runtime.clock import follows
from videoquant.tasks import Measure
from videoquant.tasks.sqnr import EXACT_DB

FLOOR_DB = -10.0  # lower values are drawn here: the error is ten times the signal, the output is noise
FRONT = "#c3cad3"
LINES_PER_PANEL = 5
MOST_POINTS = 180  # of a line over the frames; those of longer streams are averaged
_PANELS: tuple[Family, ...] = ("frame", "residual", "adaptive")


def fidelity_plot(comparison: Comparison) -> str:
    """SQNR, and below it the measure of `lower_panel` if there is one, against GBOPs per frame (log axis).

    A point per scheme, labelled; the line is the Pareto front of its panel: the best that each budget buys.
    """
    costs = [row.gbops_per_frame for row in comparison.rows]
    return _fidelity_against(comparison, costs, "GBOPs per frame", "fidelity")


def time_plot(comparison: Comparison) -> str:
    """The same against milliseconds on the comparison's chip, without the schemes that it cannot run."""
    able = replace(comparison, rows=[row for row in comparison.rows if row.on_chip and row.on_chip.ms])
    costs = [row.on_chip.ms for row in able.rows if row.on_chip and row.on_chip.ms]
    return _fidelity_against(able, costs, "simulated ms per frame", "time")


def _fidelity_against(comparison: Comparison, costs: Sequence[float], label: str, name: str) -> str:
    """costs: of every row, all above 0; label: what they are. name: leads the ids of the SVG."""
    below = lower_panel(comparison)
    with style():
        figure = new_figure(7.4 if below else 4.2)
        panels = figure.subplots(2 if below else 1, 1, sharex=True, squeeze=False)[:, 0]
        upper = panels[0]
        shown, top = _decibel_axis(upper, [row.sqnr_db for row in comparison.rows])
        title(upper, f"SQNR of {comparison.primary} in dB ↑")
        drawn = [(upper, shown, _scatter(upper, comparison, costs, shown, True))]
        if any(row.sqnr_db >= EXACT_DB for row in comparison.rows):
            upper.axhline(top, color=RULE, linewidth=0.8, linestyle=(0, (4, 4)))
        if below:
            lower, (measure, values) = panels[1], below
            title(lower, heading(measure))
            style_axes(lower)
            lower.margins(y=0.12)
            drawn.append(
                (lower, values, _scatter(lower, comparison, costs, values, measure.higher_is_better))
            )
        _cost_axis(panels[-1], costs, label)
        names = series_styles(comparison.rows)
        _family_legend(figure, names)
        for axes, heights, stairs in drawn:
            marks = [
                ((cost, height), look)
                for cost, height, look in zip(costs, heights, names, strict=True)
                if math.isfinite(height)
            ]
            points, labels = [point for point, _ in marks], [look.label for _, look in marks]
            add_labels(axes, points, labels, [look.color for _, look in marks], stairs)
        return svg(figure, name)


def lower_panel(comparison: Comparison) -> tuple[Measure, list[float]] | None:
    """What `fidelity_plot` draws below SQNR, and its values (NaN where a row has none).

    The first measure against labels where there is one, else the task's first against fp32; None where
    neither had anything to measure.
    """
    if comparison.accuracy:
        first = comparison.accuracy[0]
        found = [row.accuracy.get(first.name, math.nan) for row in comparison.rows]
        if any(map(math.isfinite, found)):
            return against_labels(first), found
    if comparison.measures:
        first = comparison.measures[0]
        found = [row.agreement.get(first.name, math.nan) for row in comparison.rows]
        if any(map(math.isfinite, found)):
            return first, found
    return None


def frames_plot(comparison: Comparison) -> str:
    """SQNR frame by frame, a line per quantized scheme, a panel or more per family, on one y axis.

    Runs of consecutive frames stand side by side; no line crosses from one to the next.
    """
    schemes = [
        (row, look)
        for row, look in zip(comparison.rows, series_styles(comparison.rows), strict=True)
        if look.family != "float" and row.per_frame
    ]
    panels = [
        (kind, group[start : start + LINES_PER_PANEL])
        for kind in _PANELS
        for group in [[pair for pair in schemes if pair[1].family == kind]]
        for start in range(0, len(group), LINES_PER_PANEL)
    ]
    with style():
        figure = new_figure(0.6 + 2.3 * len(panels))
        grid = figure.subplots(len(panels), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        every = [frame["sqnr_db"] for row, _ in schemes for frame in row.per_frame]
        low, high = _limits(every)
        indexes = [frame["frame"] for frame in schemes[0][0].per_frame]
        for axes, (kind, group) in zip(grid, panels, strict=True):
            title(axes, f"{FAMILY_NAMES[kind].capitalize()}: SQNR in dB ↑")
            style_axes(axes)
            for row, look in sorted(group, key=lambda pair: -pair[0].sqnr_db):
                _frame_line(axes, row, look, low, high)
            axes.legend(
                loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, labelcolor=INK, handlelength=2.2
            )
        pad = 0.06 * (high - low)
        grid[0].set_ylim(low - pad, high + pad)
        grid[0].yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        _frame_axis(grid[-1], indexes)
        return svg(figure, "frames")


def frames_per_point(frames: int) -> int:
    """How many consecutive frames `frames_plot` averages to one point: 1 up to `MOST_POINTS` frames."""
    return math.ceil(frames / MOST_POINTS)


def runs(indexes: Sequence[int]) -> list[list[int]]:
    """The positions of `indexes` in groups of consecutive frames: [7, 8, 20] gives [[0, 1], [2]]."""
    groups: list[list[int]] = []
    for position, index in enumerate(indexes):
        if position and follows(indexes[position - 1], index):
            groups[-1].append(position)
        else:
            groups.append([position])
    return groups


def _scatter(
    axes: Axes,
    comparison: Comparison,
    costs: Sequence[float],
    values: Sequence[float],
    higher_is_better: bool,
) -> list[tuple[float, float]]:
    """Draw a point per scheme and the front through the best; return the corners of the front."""
    points = list(zip(costs, values, strict=True))
    sign = 1 if higher_is_better else -1
    finite = [(cost, value) for cost, value in points if math.isfinite(value)]
    on_front = front([(cost, sign * value) for cost, value in finite])
    best = sorted({point for point, kept in zip(finite, on_front, strict=True) if kept})
    # Up to the next cost nothing better can be bought: right first, then up.
    stairs = [corner for (_, y), b in pairwise(best) for corner in ((b[0], y), b)]
    stairs = best[:1] + stairs
    axes.plot([x for x, _ in stairs], [y for _, y in stairs], color=FRONT, linewidth=1.6, zorder=1)
    for (x, y), look in zip(points, series_styles(comparison.rows), strict=True):
        axes.plot(
            x, y, look.marker, markersize=look.size + 1, color=look.color, mec="white", mew=0.7, zorder=4
        )
    return stairs


def _decibel_axis(axes: Axes, decibels: Sequence[float]) -> tuple[list[float], float]:
    """Set up a y axis for SQNR on which exact schemes stand in a band of their own, above the scale.

    Returns where each value is drawn, and the border between the scale and the band.
    """
    low, high = _limits(decibels)
    step = max(high - low, 1.0)
    border, exact = high + 0.12 * step, high + 0.24 * step
    style_axes(axes)
    axes.set_ylim(low - 0.12 * step, exact + 0.12 * step if max(decibels) >= EXACT_DB else border)
    ticks = [
        float(tick) for tick in MaxNLocator(6).tick_values(low, high) if low - 0.12 * step <= tick < border
    ]
    if min(decibels) >= EXACT_DB:
        ticks = []  # nothing stands on the scale
    labels = [f"{tick:g}" for tick in ticks]
    if max(decibels) >= EXACT_DB:
        ticks, labels = [*ticks, exact], [*labels, "exact"]
    axes.set_yticks(ticks, labels)
    return [exact if db >= EXACT_DB else max(db, FLOOR_DB) for db in decibels], border


def _limits(decibels: Sequence[float]) -> tuple[float, float]:
    """The least and the largest SQNR to be drawn: exact values and those below `FLOOR_DB` do not count."""
    inner = [max(db, FLOOR_DB) for db in decibels if db < EXACT_DB]
    if not inner:
        return 0.0, 1.0
    low, high = min(inner), max(inner)
    return (low, high) if high - low >= 1 else (low - 0.5, high + 0.5)


def _cost_axis(axes: Axes, costs: Sequence[float], label: str) -> None:
    axes.set_xscale("log")
    axes.set_xlabel(f"{label} (log scale) ↓")
    least, most = min(costs), max(costs)
    axes.set_xlim(least / 1.35, most * 1.6)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _family_legend(figure: Figure, names: Sequence[SeriesStyle]) -> None:
    """What the markers mean, and the line."""
    present = [kind for kind in MARKERS if any(look.family == kind for look in names)]
    handles = [
        Line2D(
            [],
            [],
            color=MUTED,
            marker=MARKERS[kind],
            markersize=SIZES[kind],
            linestyle="",
            label=FAMILY_NAMES[kind],
        )
        for kind in present
    ]
    handles.append(Line2D([], [], color=FRONT, linewidth=1.6, label="Pareto front"))
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=len(handles),
        frameon=False,
        labelcolor=MUTED,
        handletextpad=0.4,
        columnspacing=1.6,
    )


def _frame_line(axes: Axes, row: Row, look: SeriesStyle, low: float, high: float) -> None:
    """One scheme: a line in each run, and a marker on each keyframe unless frames are averaged."""
    x = _positions([frame["frame"] for frame in row.per_frame])
    y = [min(max(frame["sqnr_db"], low), high) for frame in row.per_frame]
    step = frames_per_point(len(x))
    keys = [i for i, frame in enumerate(row.per_frame) if frame["key"]] if step == 1 else []
    size = 3.0 if look.family == "frame" else 0.75 * look.size
    for group in runs([frame["frame"] for frame in row.per_frame]):
        chunks = [group[start : start + step] for start in range(0, len(group), step)]
        middles, means = ([fmean(values[i] for i in chunk) for chunk in chunks] for values in (x, y))
        dot = "." if len(chunks) == 1 else "none"  # a line needs two points
        axes.plot(middles, means, marker=dot, color=look.color, linewidth=1.2, markersize=3)
    axes.plot(
        [x[i] for i in keys], [y[i] for i in keys], look.marker, color=look.color, markersize=size, mew=0
    )
    axes.plot([], [], color=look.color, marker=look.marker if keys else "", markersize=size, label=look.label)


def _frame_axis(axes: Axes, indexes: Sequence[int]) -> None:
    """Tick labels are indexes of frames: at the start of each run, or evenly within a single one."""
    x, groups = _positions(indexes), runs(indexes)
    axes.margins(x=0.02)
    if len(groups) == 1:
        axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value + indexes[0]:g}"))
        axes.set_xlabel("frame")
        return
    starts = [group[0] for group in groups][:: math.ceil(len(groups) / 16)]
    axes.set_xticks([x[i] for i in starts], [str(indexes[i]) for i in starts], ha="left")
    axes.set_xlabel("frame (a gap stands for frames that were not scored)")


def _positions(indexes: Sequence[int]) -> list[float]:
    """Where frames stand on the x axis: one step each, and a gap of fixed width between runs."""
    gap = max(1.0, len(indexes) / 30)
    result: list[float] = []
    for number, group in enumerate(runs(indexes)):
        result += [position + number * gap for position in group]
    return result
