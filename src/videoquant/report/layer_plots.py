"""Plots of layers: the error by layer, and the bit-widths that adaptive schemes chose, as SVG texts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Patch

from videoquant.comparison import Comparison, Row
from videoquant.report.plot_style import INK, MUTED, new_figure, series_styles, style, style_axes, svg, title
from videoquant.report.plots import FLOOR_DB
from videoquant.tasks.sqnr import EXACT_DB

NAME_LENGTH = 22
MOST_NAMES = 60  # more layer names than this do not fit side by side; then every second, third, … is written
_HEAT = LinearSegmentedColormap.from_list(
    "heat", ["#7d1d3f", "#d9603b", "#f6c667", "#d8e6c9", "#5aa6b5", "#1f4e79"]
)
_SKIPPED, _LIGHT, _DARK = "#dfe4ea", "#8dbbe0", "#1d5a99"


def layers_plot(comparison: Comparison) -> str:
    """A heat map of SQNR: a row per quantized scheme, a column per layer in the network's order."""
    shown = [
        (row, look.label)
        for row, look in zip(comparison.rows, series_styles(comparison.rows), strict=True)
        if look.family != "float" and row.layer_sqnr_db
    ]
    names = list(dict.fromkeys(name for row, _ in shown for name in row.layer_sqnr_db))
    decibels = np.array([[row.layer_sqnr_db.get(name, math.nan) for name in names] for row, _ in shown])
    inner = decibels[np.isfinite(decibels) & (decibels < EXACT_DB)]
    low, high = (max(FLOOR_DB, inner.min()), inner.max()) if inner.size else (0.0, 1.0)
    with style():
        figure = new_figure(1.9 + 0.26 * len(shown))
        axes = figure.subplots()
        style_axes(axes, None)
        # An image of one pixel per cell, which the browser enlarges without smoothing, and white rules.
        extent = (0.0, len(names), len(shown), 0.0)
        image = axes.imshow(
            decibels, cmap=_HEAT, vmin=low, vmax=high, aspect="auto", interpolation="none", extent=extent
        )
        axes.vlines(range(1, len(names)), 0, len(shown), color="white", linewidth=0.6)
        axes.hlines(range(1, len(shown)), 0, len(names), color="white", linewidth=1.2)
        axes.set_yticks(np.arange(len(shown)) + 0.5, [label for _, label in shown], color=INK)
        layer_axis(axes, names)
        bar = figure.colorbar(image, ax=axes, pad=0.012, aspect=18, shrink=0.95)
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0, colors=MUTED, labelsize=8)
        bar.ax.set_title("dB", fontsize=8, color=MUTED, pad=5)
        return svg(figure, "layers")


def shares_plot(comparison: Comparison) -> str:
    """Stacked bars of the multiply–accumulates at each bit-width: per adaptive scheme, then by layer."""
    shown = [
        (row, look.label)
        for row, look in zip(comparison.rows, series_styles(comparison.rows), strict=True)
        if row.shares
    ]
    widths = sorted({width for row, _ in shown for width in row.shares})
    colors = dict(zip(widths, _width_colors(widths), strict=True))
    layers = list(dict.fromkeys(name for row, _ in shown for name in row.layer_shares))
    detailed = [(row, label) for row, label in shown if row.layer_shares]
    heights = [0.35 + 0.3 * len(shown)] + [1.15] * len(detailed)
    with style():
        figure = new_figure(sum(heights) + 0.42 * len(heights) + (1.1 if detailed else 0.3))
        grid = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        _overall_bars(grid[0], shown, colors)
        for axes, (row, label) in zip(grid[1:], detailed, strict=True):
            _layer_bars(axes, row, layers, colors)
            title(axes, f"By layer: {label}")
            if axes is not grid[-1]:
                axes.set_xticks([])
        if detailed:
            layer_axis(grid[-1], layers)
        return svg(figure, "shares")


def shorten(names: Sequence[str]) -> list[str]:
    """Names without the path they all begin with; of long ones the end is kept, behind an ellipsis."""
    first, last = (min(names), max(names)) if names else ("", "")  # what these two share, all share
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    cut = max(first[:same].rfind(mark) for mark in "/._") + 1
    rest = [name[cut:] for name in names]
    return [name if len(name) <= NAME_LENGTH else "…" + name[1 - NAME_LENGTH :] for name in rest]


def _overall_bars(axes: Axes, shown: Sequence[tuple[Row, str]], colors: dict[int, str]) -> None:
    style_axes(axes, None)
    title(axes, "All layers")
    for place, (row, _) in enumerate(shown):
        start = 0.0
        for width, color in colors.items():
            share = row.shares.get(width, 0.0)
            axes.barh(place, share, left=start, color=color, height=0.66, edgecolor="white", linewidth=0.8)
            if share >= 0.04:
                ink = "white" if color == _DARK else INK
                middle = start + share / 2
                axes.text(middle, place, f"{share:.0%}", ha="center", va="center", color=ink, fontsize=8)
            start += share
    axes.set_yticks(range(len(shown)), [label for _, label in shown], color=INK)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    handles = [
        Patch(color=color, label=f"{width} bits" if width else "0 bits (skipped)")
        for width, color in colors.items()
    ]
    axes.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=len(handles),
        frameon=False,
        labelcolor=MUTED,
        borderaxespad=0.2,
        handlelength=1.0,
        handleheight=1.0,
    )


def _layer_bars(axes: Axes, row: Row, layers: Sequence[str], colors: dict[int, str]) -> None:
    style_axes(axes)
    bottom, edges = np.zeros(len(layers)), np.arange(len(layers) + 1)
    for width, color in colors.items():
        share = np.array([row.layer_shares.get(name, {}).get(width, 0.0) for name in layers])
        axes.stairs(bottom + share, edges, baseline=bottom, fill=True, color=color, linewidth=0)
        bottom += share
    axes.set_ylim(0, 1)
    axes.vlines(range(1, len(layers)), 0, 1, color="white", linewidth=1.2)
    axes.set_xlim(0, len(layers))
    axes.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])


def layer_axis(axes: Axes, names: Sequence[str]) -> None:
    """Write each layer's name below its column of width 1, or every second, third, … of many."""
    step = math.ceil(len(names) / MOST_NAMES)
    shown = range(0, len(names), step)
    short = shorten(names)
    axes.set_xlabel("layer, in the network’s order")
    axes.set_xticks([i + 0.5 for i in shown], [short[i] for i in shown], rotation=90, fontsize=6.5)


def _width_colors(widths: Sequence[int]) -> list[str]:
    """Grey for 0 bits, then from light to dark blue."""
    ramp = LinearSegmentedColormap.from_list("widths", [_LIGHT, _DARK])
    some = [width for width in widths if width]
    shades = {width: ramp(i / max(1, len(some) - 1)) for i, width in enumerate(some)}
    return [_hex(shades[width]) if width else _SKIPPED for width in widths]


def _hex(color: tuple[float, float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in color[:3])
