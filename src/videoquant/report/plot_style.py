"""What all plots that Matplotlib draws share: how figures and axes look."""

from __future__ import annotations

from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from videoquant.report.palette import INK, MUTED, RULE

WIDTH = 10.0  # inches of every figure; at 72 points an inch a page column of 1000 pixels enlarges it by 1.4
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "svg.fonttype": "path",  # outlines: the same in every browser, with no font installed
    "svg.hashsalt": "videoquant",  # the same data gives the same file
    "text.parse_math": False,  # a name may hold a dollar sign
}


def new_figure(height: float) -> Figure:
    """An empty white figure `WIDTH` × height inches, laid out by its contents."""
    layout = ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.04)
    figure = Figure(figsize=(WIDTH, height), dpi=72, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def style_axes(axes: Axes, grid: Literal["x", "y", "both"] | None = "y") -> None:
    """Quiet axes: no box, light rules behind the data, muted tick labels."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=MUTED, labelsize=8)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color=RULE, linewidth=0.8)


def heading_of(figure: Figure, text: str) -> None:
    """What stands above all panels; the layout makes room for it."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=10.5, fontweight="bold", color=INK)


def title(axes: Axes, text: str) -> None:
    """A panel's title, at the left edge of its axes."""
    axes.set_title(text, loc="left", fontsize=9.5, fontweight="bold", color=INK, pad=8)


def style() -> Any:
    """The context in which figures are built and written; settings outside it stay as they were."""
    return mpl.rc_context(_STYLE)
