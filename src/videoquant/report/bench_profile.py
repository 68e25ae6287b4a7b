"""Where a frame's time goes in the engine, and how it scales, as tables of 80 columns for a terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from videoquant.bench.profile import OperatorTime
from videoquant.bench.result import Benchmark

SHOWN = 16  # operators, those that take longest; bench.json has all


def profile_table(benchmark: Benchmark, clip: str) -> Table:
    """The operators that take longest, the rest in one row, and all."""
    profile = benchmark.profiles[clip]
    longest = sorted(profile.operators, key=lambda one: -one.ms)
    shown, others = longest[:SHOWN], longest[SHOWN:]
    title = f"{benchmark.network}, {clip}: a frame by operator, {benchmark.threads} threads"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")
    table.add_column("operator", no_wrap=True, max_width=26)
    table.add_column("kind", no_wrap=True, max_width=10)
    for text in ("ms", "share", "GMAC/s", "MB", "% of limit"):
        table.add_column(text, justify="right", no_wrap=True)
    table.add_column("limit", no_wrap=True)
    for one in shown:
        bound = one.bound if one.limit_ms else ""
        table.add_row(one.name, one.kind, *_numbers([one]), bound)
    if others:
        table.add_row(f"{len(others)} others", "", *_numbers(others), "")
    table.add_section()
    table.add_row("all", "", *_numbers(profile.operators), "")
    table.caption = f"A whole frame takes {profile.ms:.2f} ms."
    table.caption_justify = "left"
    return table


def _numbers(of: list[OperatorTime]) -> list[str]:
    ms, macs = sum(one.ms for one in of), sum(one.macs for one in of)
    return [
        f"{ms:.2f}",
        f"{sum(one.share for one in of):.1%}",
        f"{macs / ms / 1e6:.0f}" if macs and ms else "",
        f"{sum(one.bytes for one in of) / 1e6:.1f}",
        f"{100 * sum(one.limit_ms for one in of) / ms:.0f}" if ms else "",
    ]


def scaling_table(benchmark: Benchmark, clip: str) -> Table:
    """Throughput and times of a frame by streams and threads."""
    found = benchmark.scaling[clip]
    title = f"{benchmark.network}, {clip}: streams and threads, on {benchmark.machine.cores} cores"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")
    for text in ("streams", "threads each", "frames/s ↑", "× one", "ms ↓", "p99"):
        table.add_column(text, justify="right", no_wrap=True)
    for one in found:
        faster = one.frames_per_second / found[0].frames_per_second
        table.add_row(
            str(one.streams),
            str(one.threads),
            f"{one.frames_per_second:.1f}",
            f"{faster:.2f}",
            f"{one.ms_median:.2f}",
            f"{one.ms_p99:.2f}",
        )
    return table
