"""The plot of a benchmark: time per frame along the clip, and what a frame costs by the work it has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from videoquant.bench.result import Benchmark, Row
from videoquant.files import atomic_write
from videoquant.report.plot_style import COLORS, INK, MUTED, RULE, new_figure, style, style_axes, title

LONGEST = 2.0  # of the axis of time, in medians of the slowest engine; above that lie only interruptions


def write_bench_plot(benchmark: Benchmark, clip: str, path: Path) -> None:
    """Draw the rows of one clip into a PNG file. Raises `OutputError` where it cannot be written."""
    rows = [row for row in benchmark.rows if row.clip == clip]
    colors = {row.label: COLORS[index % len(COLORS)] for index, row in enumerate(rows)}
    fitted = [row for row in rows if row.line is not None]
    with style(), atomic_write(path) as temporary:
        figure = new_figure(3.6 if not fitted else 7.0)
        panels = figure.subplots(1 + bool(fitted), 1, squeeze=False)[:, 0]
        _along(panels[0], rows, colors, benchmark.frames[clip])
        title(panels[0], f"{benchmark.network} on {clip}, {benchmark.threads} threads: ms per frame")
        if fitted:
            _against_work(panels[1], fitted, colors)
        figure.savefig(temporary, format="png", dpi=144, facecolor="white")


def _along(axes: Axes, rows: list[Row], colors: dict[str, str], frames: list[int]) -> None:
    """Every engine's times by the frame's number; lines break where the clip was cut."""
    style_axes(axes)
    cuts = [i for i in range(1, len(frames)) if frames[i] != frames[i - 1] + 1]
    for row in rows:
        y = np.insert(np.array(row.ms), cuts, np.nan)
        label = f"{row.label}, {row.ms_median:.2f}"
        axes.plot(range(len(y)), y, color=colors[row.label], linewidth=1.1, label=label)
    axes.set_ylim(0, LONGEST * max(row.ms_median for row in rows))
    ticks = [0, *(cut + number for number, cut in enumerate(cuts, 1))]
    axes.set_xticks(ticks, [str(frames[i]) for i in [0, *cuts]])
    for tick in ticks[1:]:
        axes.axvline(tick - 1, color=RULE, linewidth=0.8, zorder=0)
    axes.set_xlabel("number of the frame")
    _legend(axes, 4)


def _against_work(axes: Axes, rows: list[Row], colors: dict[str, str]) -> None:
    """Time against the share of work, with the line through it, of the modes that skip."""
    style_axes(axes, "both")
    for row in rows:
        line = row.line
        assert line is not None
        label = f"{row.label}: fixed part {line.fixed_share:.0%} of a dense frame"
        axes.scatter(row.work, row.ms, s=8, color=colors[row.label], linewidths=0, alpha=0.6, label=label)
        ends = np.array([0.0, max(row.work)])
        axes.plot(ends, line.fixed_ms + line.ms_per_work * ends, color=MUTED, linewidth=1)
    axes.set_xlim(0, None)
    axes.set_ylim(0, LONGEST * max(row.ms_median for row in rows))
    axes.set_xlabel("share of a dense frame’s multiply–accumulates that was done")
    _legend(axes, 2)
    title(axes, "ms per frame, by its work")


def _legend(axes: Axes, columns: int) -> None:
    """Below the axis, where it hides no frame."""
    axes.legend(
        frameon=False,
        fontsize=7.5,
        ncols=columns,
        loc="upper left",
        bbox_to_anchor=(0, -0.16),
        labelcolor=INK,
    )
