"""The curves of a training: loss and score against epochs, as a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from videoquant.files import atomic_write
from videoquant.report.plot_style import COLORS, INK, new_figure, style, style_axes, title


def write_training_plot(history: Sequence[dict[str, Any]], heading: str, path: str | Path) -> None:
    """Draw `training_plot` into a PNG file, whole or not at all."""
    with style(), atomic_write(path) as temporary:
        training_plot(history, heading).savefig(temporary, format="png", dpi=144, facecolor="white")


def training_plot(history: Sequence[dict[str, Any]], heading: str) -> Figure:
    """The loss per epoch, and below it every score where any was measured. Call it inside `style()`.

    history: rows as of `training.state.Progress`.
    heading: stands above, e.g. the network and its data.
    """
    scored = [row for row in history if "validation" in row]
    names = list(dict.fromkeys(name for row in scored for name in row["validation"]))
    figure = new_figure(2.4 * (1 + len(names)) + 0.4)
    panels = figure.subplots(1 + len(names), 1, sharex=True, squeeze=False)[:, 0]
    figure.suptitle(heading, x=0.01, ha="left", fontsize=9.5, color=INK)
    epochs = [row["epoch"] for row in history]
    few = "." if len(epochs) == 1 else ""
    panels[0].plot(epochs, [row["loss"] for row in history], few, color=COLORS[0], linewidth=1.2)
    title(panels[0], "training loss, mean over the epoch ↓")
    for axes, name in zip(panels[1:], names, strict=True):
        points = [(row["epoch"], row["validation"][name]) for row in scored if name in row["validation"]]
        axes.plot(*zip(*points, strict=True), color=COLORS[1], marker="o", markersize=4, linewidth=1.2)
        axes.annotate(
            f"{points[-1][1]:.4g}",
            points[-1],
            xytext=(0, 6),
            textcoords="offset points",
            ha="right",
            color=INK,
        )
        axes.margins(y=0.2)
        title(axes, f"{name} on validation data, averaged weights")
    for axes in panels:
        style_axes(axes)
    panels[-1].set_xlabel("epoch")
    return figure
