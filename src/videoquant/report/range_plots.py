"""The plot of predicted ranges: predicted against measured, and how much each predictor gains."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import NullFormatter

from videoquant.comparison import Comparison, PredictedRanges
from videoquant.report.layer_plots import layer_axis
from videoquant.report.plot_style import (
    INK,
    MUTED,
    RULE,
    new_figure,
    series_styles,
    style,
    style_axes,
    svg,
    title,
)

_DEPTH = LinearSegmentedColormap.from_list("depth", ["#1d5a99", "#2b8f62", "#d8a13a", "#b8324a"])
_NOTHING = 1e-3  # shares below this are drawn here: a logarithmic axis has no zero


def ranges_plot(comparison: Comparison) -> str:
    """A row of panels per scheme that predicts ranges: the scatter, and the error by quantizer."""
    shown = [
        (look.label, ranges)
        for row, look in zip(comparison.rows, series_styles(comparison.rows), strict=True)
        for ranges in _by_frame_kind(row.ranges)
    ]
    with style():
        figure = new_figure(3.5 * len(shown))
        grid = figure.subplots(len(shown), 2, squeeze=False, width_ratios=(1, 2.1))
        for (left, right), (label, ranges) in zip(grid, shown, strict=True):
            _scatter(left, ranges)
            _errors(right, ranges)
            kind = ", residual frames" if ranges[0].residual else ""
            title(left, f"{label}{kind}")
            title(right, "Squared error, of the static average’s")
        return svg(figure, "ranges")


def error_share(ranges: PredictedRanges) -> float:
    """The squared error of the predictions over that of the static average, on the scored frames."""
    predicted, measured = np.array(ranges.predicted), np.array(ranges.measured)
    average = float(((measured - ranges.average) ** 2).sum())
    return float(((measured - predicted) ** 2).sum()) / average if average else 1.0


def _by_frame_kind(ranges: list[PredictedRanges]) -> list[list[PredictedRanges]]:
    kinds = ([r for r in ranges if r.residual is residual] for residual in (False, True))
    return [kind for kind in kinds if kind]


def _scatter(axes: Axes, ranges: list[PredictedRanges]) -> None:
    style_axes(axes, "both")
    places, x, y = [], [], []
    for place, r in enumerate(ranges):
        if r.average > 0:
            x += [value / r.average for value in r.measured]
            y += [value / r.average for value in r.predicted]
            places += [place / max(1, len(ranges) - 1)] * len(r.measured)
    low, high = np.quantile([*x, *y], (0.005, 0.995)) if x else (0.5, 1.5)
    low, high = min(low, 0.8) * 0.95, max(high, 1.2) * 1.05
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1)
    axes.axhline(1, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate("static average", (high, 1), ha="right", va="bottom", fontsize=7.5, color=MUTED)
    axes.scatter(x, y, c=_DEPTH(np.array(places)), s=7, linewidths=0, alpha=0.75)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.set_xlabel("measured, of the static average")
    axes.set_ylabel("predicted")


def _errors(axes: Axes, ranges: list[PredictedRanges]) -> None:
    style_axes(axes)
    shares = [min(max(error_share(r), _NOTHING), 10.0) for r in ranges]
    colors = _DEPTH(np.linspace(0, 1, len(ranges)))
    axes.bar(np.arange(len(ranges)) + 0.5, [s - _NOTHING for s in shares], 0.72, _NOTHING, color=colors)
    axes.set_yscale("log")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks([0.001, 0.01, 0.1, 1, 10], ["≤0.1%", "1%", "10%", "100%", "≥1000%"])
    axes.set_ylim(_NOTHING, max(2.0, max(shares) * 1.2))
    axes.axhline(1, color=INK, linewidth=1)
    for place in range(1, len(ranges)):
        if ranges[place].position != ranges[place - 1].position:  # the next predictor takes over
            axes.axvline(place, color=RULE, linewidth=1.6)
    axes.set_xlim(0, len(ranges))
    layer_axis(axes, [r.layer for r in ranges])
