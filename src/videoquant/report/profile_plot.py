"""The plot of a frame by operator: how long each takes, and how long it has to take at least."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from videoquant.bench.result import Benchmark
from videoquant.report.palette import COLORS, GREY
from videoquant.report.plot_file import write_plot
from videoquant.report.plot_style import heading_of, new_figure, style_axes, title

LEAST = 0.005  # of a frame's time; operators below that stand in the CSV file alone
BOUNDS = {"arithmetic": COLORS[0], "memory": COLORS[1]}


def write_profile_plot(benchmark: Benchmark, clip: str, path: Path) -> None:
    """Draw a clip's profile into a PNG file. Raises `OutputError` where it cannot be written."""
    numbers = [
        {
            "operator": one.name,
            "kind": one.kind,
            "ms": one.ms,
            "macs": one.macs,
            "bytes": one.bytes,
            "arithmetic_ms": one.arithmetic_ms,
            "memory_ms": one.memory_ms,
        }
        for one in benchmark.profiles[clip].operators
    ]
    write_plot(lambda: profile_plot(benchmark, clip), numbers, path)


def profile_plot(benchmark: Benchmark, clip: str) -> Figure:
    """A bar for each operator in the order in which they run; its dark part is its limit."""
    profile = benchmark.profiles[clip]
    shown = [one for one in profile.operators if one.share >= LEAST]
    figure = new_figure(1.1 + 0.2 * len(shown))
    heading_of(figure, f"{benchmark.network} on {clip}, {benchmark.threads} threads: ms by operator")
    axes = figure.subplots()
    style_axes(axes, "x")
    places = range(len(shown))
    axes.barh(places, [one.ms for one in shown], color=GREY, height=0.7)
    limits, colors = [one.limit_ms for one in shown], [BOUNDS[one.bound] for one in shown]
    axes.barh(places, limits, color=colors, height=0.35)
    axes.set_yticks(places, [f"{one.name}  {one.kind}" for one in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    left = sum(one.ms for one in profile.operators) - sum(one.ms for one in shown)
    title(axes, f"a frame takes {profile.ms:.2f} ms; {left:.2f} ms in operators too short to show")
    parts = [Patch(color=GREY, label="time")]
    parts += [Patch(color=color, label=f"limit of {bound}") for bound, color in BOUNDS.items()]
    axes.legend(handles=parts, frameon=False, loc="lower right")
    return figure
