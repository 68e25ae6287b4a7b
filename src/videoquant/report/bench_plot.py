"""The plot of a benchmark: time per frame along the clip, and what a frame costs by the work it has.

Each engine has a panel of its own, the others in grey behind it: lines that cross in one panel tell nothing.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videoquant.bench.result import Benchmark, Row
from videoquant.report.palette import COLORS, GREY, MUTED, RULE
from videoquant.report.plot_file import Numbers, write_plot
from videoquant.report.plot_style import heading_of, new_figure, style_axes, title

LONGEST = 2.0  # of the axis of time, in medians of the slowest engine; above that lie only interruptions
COLUMNS = 2


def write_bench_plot(benchmark: Benchmark, clip: str, path: Path) -> None:
    """Draw the rows of one clip into a PNG file. Raises `OutputError` where it cannot be written."""
    rows = [row for row in benchmark.rows if row.clip == clip]
    write_plot(lambda: bench_plot(benchmark, clip), _numbers(rows, benchmark.frames[clip]), path)


def bench_plot(benchmark: Benchmark, clip: str) -> Figure:
    """A panel for each engine along the clip; below them one for each mode that skips, against its work."""
    rows = [row for row in benchmark.rows if row.clip == clip]
    fitted = [row for row in rows if row.line is not None]
    lines, below = -(-len(rows) // COLUMNS), -(-len(fitted) // COLUMNS)
    figure = new_figure(0.6 + 1.75 * lines + 2.3 * below)
    heading_of(figure, f"{benchmark.network} on {clip}, {benchmark.threads} threads: ms per frame")
    grid = figure.subplots(
        lines + below, COLUMNS, squeeze=False, height_ratios=[1.75] * lines + [2.3] * below
    )
    top = LONGEST * max(row.ms_median for row in rows)
    for axes, row in zip_longest(grid[:lines].ravel(), rows):
        _along(axes, row, rows, benchmark.frames[clip], top)
    for axes, row in zip_longest(grid[lines:].ravel(), fitted):
        _against_work(axes, row, top)
    return figure


def _along(axes: Axes, row: Row | None, rows: list[Row], frames: list[int], top: float) -> None:
    """An engine's times by the frame's number; lines break where the clip was cut."""
    if row is None:
        axes.set_visible(False)
        return
    style_axes(axes)
    cuts = [i for i in range(1, len(frames)) if frames[i] != frames[i - 1] + 1]
    for other in sorted(rows, key=lambda other: other is row):  # its own line last, on top
        y = np.insert(np.array(other.ms), cuts, np.nan)
        color, width = (COLORS[0], 1.3) if other is row else (GREY, 0.7)
        axes.plot(range(len(y)), y, color=color, linewidth=width)
    axes.set_ylim(0, top)
    ticks = [0, *(cut + number for number, cut in enumerate(cuts, 1))]
    axes.set_xticks(ticks, [str(frames[i]) for i in [0, *cuts]])
    for tick in ticks[1:]:
        axes.axvline(tick - 1, color=RULE, linewidth=0.8, zorder=0)
    axes.set_xlabel("frame")
    title(axes, f"{row.label}: {row.ms_median:.2f} ms")


def _against_work(axes: Axes, row: Row | None, top: float) -> None:
    """Time against the share of work of a mode that skips, with the line through it."""
    if row is None or row.line is None:
        axes.set_visible(False)
        return
    style_axes(axes, "both")
    axes.scatter(row.work, row.ms, s=8, color=COLORS[0], linewidths=0, alpha=0.6)
    ends = np.array([0.0, max(row.work)])
    axes.plot(ends, row.line.fixed_ms + row.line.ms_per_work * ends, color=MUTED, linewidth=1)
    axes.set_xlim(0, None)
    axes.set_ylim(0, top)
    axes.set_xlabel("share of a dense frame’s multiply–accumulates that was done")
    title(axes, f"{row.label} by its work, {row.line.fixed_share:.0%} fixed")


def _numbers(rows: list[Row], frames: list[int]) -> Numbers:
    return [
        {"engine": row.label, "frame": frame, "ms": ms, "work_share": work}
        for row in rows
        for frame, ms, work in zip(frames, row.ms, row.work, strict=False)
    ]
