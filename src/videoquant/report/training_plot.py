"""The curves of a training: loss and score against epochs, as a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from videoquant.report.palette import COLORS, INK
from videoquant.report.plot_file import write_plot
from videoquant.report.plot_style import heading_of, new_figure, style_axes, title
from videoquant.report.table import heading as heading_of_measure
from videoquant.tasks import Measure
from videoquant.tasks.classification import TOP1
from videoquant.tasks.detection.average_precision import MAP, MAP50
from videoquant.tasks.detection.detector import BOX_F1
from videoquant.tasks.landmarks import LANDMARK_DISTANCE
from videoquant.tasks.metrics import FAILURE_RATE, MIOU, NME_MEAN, PCK_SHARE, PSNR_Y
from videoquant.tasks.pose import KEYPOINT_F1
from videoquant.tasks.segmentation import MASK_IOU
from videoquant.tasks.super_resolution import PSNR

AGAINST_LABELS = (MIOU, PCK_SHARE, NME_MEAN, FAILURE_RATE, PSNR_Y, MAP, MAP50)
AGAINST_FP32 = (TOP1, MASK_IOU, KEYPOINT_F1, LANDMARK_DISTANCE, BOX_F1, PSNR)
_KNOWN: dict[str, Measure] = {measure.name: measure for measure in (*AGAINST_FP32, *AGAINST_LABELS)}


def write_training_plot(history: Sequence[dict[str, Any]], heading: str, path: str | Path) -> None:
    """Draw `training_plot` into a PNG file, whole or not at all, and write its numbers beside it."""
    numbers = [
        {name: value for name, value in row.items() if name != "validation"} | row.get("validation", {})
        for row in history
    ]
    write_plot(lambda: training_plot(history, heading), numbers, path)


def training_plot(history: Sequence[dict[str, Any]], heading: str) -> Figure:
    """The loss per epoch, and below it every score where any was measured. Call it inside `style()`.

    history: rows as of `training.state.Progress`.
    heading: stands above, e.g. the network and its data.
    """
    scored = [row for row in history if "validation" in row]
    names = list(dict.fromkeys(name for row in scored for name in row["validation"]))
    figure = new_figure(2.4 * (1 + len(names)) + 0.4)
    panels = figure.subplots(1 + len(names), 1, sharex=True, squeeze=False)[:, 0]
    heading_of(figure, heading)
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
        title(axes, f"{_plain_name(name)} on validation data, averaged weights")
    for axes in panels:
        style_axes(axes)
    panels[-1].xaxis.set_major_locator(MaxNLocator(12, integer=True))  # there is no half epoch
    panels[-1].set_xlabel("epoch")
    return figure


def _plain_name(name: str) -> str:
    """A score as tables call it, with unit and arrow."""
    measure = _KNOWN.get(name)
    return heading_of_measure(measure) if measure else name.replace("_", " ")
