"""The times of `bench ranges` as a table: a line per job, a column per activation."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from videoquant.bench.ranges import CHANNELS, RangeRow


def ranges_table(rows: Sequence[RangeRow]) -> Table:
    """Milliseconds, percent of the int8 convolution, and in parentheses the paper's percentage."""
    sizes = list(dict.fromkeys(row.size for row in rows))
    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0))
    table.caption = "ms, percent of the int8 convolution (the paper's, on a Cortex-A76)"
    table.caption_justify = "left"
    table.add_column("")
    for size in sizes:
        table.add_column(f"{size}×{size}×{CHANNELS}", justify="right")
    for job in dict.fromkeys(row.job for row in rows):
        table.add_row(job, *(_cell(row) for row in rows if row.job == job))
    return table


def _cell(row: RangeRow) -> str:
    paper = "" if row.paper_percent is None else f" ({row.paper_percent:.0f}%)"
    return f"{row.ms_median:.3f}  {row.percent:.1f}%{paper}"
