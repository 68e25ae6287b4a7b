"""The plot of `bench gating`: agreement with floating point against CPU time, a panel for each clip."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videoquant.bench.gates import BOX_GATE, EVERY, FRAME_GATE, REGIONS
from videoquant.bench.gating import GatingRow
from videoquant.report.palette import COLORS, INK, MUTED
from videoquant.report.plot_style import new_figure, style_axes, title
from videoquant.report.table import heading
from videoquant.tasks import Measure

LOOKS = {  # color, marker
    EVERY: (INK, "*"),
    FRAME_GATE: (COLORS[1], "s"),
    BOX_GATE: (COLORS[2], "^"),
    REGIONS: (COLORS[0], "o"),
}


def gating_plot(rows: Sequence[GatingRow], measure: Measure) -> Figure:
    """A curve for each method over what it is set to; the larger markers are the defaults."""
    scored = [row for row in rows if measure.name in row.agreement]
    clips = list(dict.fromkeys(row.clip for row in scored))
    lines = max(1, -(-len(clips) // 2))
    figure = new_figure(0.7 + 2.6 * lines)
    panels = figure.subplots(lines, min(2, max(1, len(clips))), squeeze=False).ravel()
    for axes, clip in zip(panels, clips, strict=False):
        _panel(axes, [row for row in scored if row.clip == clip], measure)
        title(axes, clip)
    for axes in panels[len(clips) :]:
        axes.set_visible(False)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower left", ncols=4, frameon=False, labelcolor=INK)
    figure.supylabel(heading(measure), fontsize=8.5, color=MUTED)
    return figure


def _panel(axes: Axes, rows: Sequence[GatingRow], measure: Measure) -> None:
    style_axes(axes, "both")
    for method, (color, marker) in LOOKS.items():
        mine = [row for row in rows if row.method == method]
        if not mine:
            continue
        x, y = ([row.cpu_ms for row in mine], [row.agreement[measure.name] for row in mine])
        sizes = [60 if row.is_default else 22 for row in mine]
        axes.plot(x, y, color=color, linewidth=1.1)
        over = 4 if method == EVERY else 3
        axes.scatter(x, y, s=sizes, color=color, marker=marker, linewidths=0, label=method, zorder=over)
    axes.set_xlim(0, 1.06 * max(row.cpu_ms for row in rows))
    low, high = (end(row.agreement[measure.name] for row in rows) for end in (min, max))
    spare = max(0.1 * (high - low), measure.close - (high - low) / 2)  # what is alike should look alike
    axes.set_ylim(low - spare, high + spare)
    axes.set_xlabel("ms of CPU time per frame, all threads")
