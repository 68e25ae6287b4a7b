"""A benchmark as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from videoquant.bench.result import Benchmark, Row
from videoquant.report.table import ABSENT, heading
from videoquant.tasks import Measure

# Columns that a narrow terminal goes without; bench.json has them all.
SPARE = ("spread", "% of ceiling", "p95", "peak MB")


def bench_table(benchmark: Benchmark, clip: str) -> Table:
    """The rows of one clip."""
    rows = [row for row in benchmark.rows if row.clip == clip]
    measure = benchmark.measures[0] if benchmark.measures else None
    title = f"{benchmark.network}, {clip}: {len(rows[0].ms)} frames, {benchmark.threads} threads"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")
    table.add_column("engine", no_wrap=True)
    for text in bench_headings(benchmark.measures):
        table.add_column(text, justify="right")
    for row in rows:
        table.add_row(*_cells(row, measure))
    return table


def bench_headings(measures: Sequence[Measure]) -> list[str]:
    """The columns of numbers. measures: the task's."""
    first = heading(measures[0]) if measures else ""
    timed = ["ms ↓", "p95", "spread", "× OpenVINO int8 ↑", "% of ceiling", "work"]
    return [*timed, first, "as frame ↑", "peak MB ↓"]


def _cells(row: Row, measure: Measure | None) -> list[str]:
    skips = row.mode != "frame"
    value = row.agreement.get(measure.name) if measure else None
    return [
        row.label,
        f"{row.ms_median:.2f}",
        f"{row.ms_p95:.2f}",
        f"{row.ms_spread:.2f}",
        _number(row.ratio_to_openvino_int8, 2),
        f"{row.percent_of_ceiling:.0f}",
        f"{row.work_share:.0%}" if skips else "",
        "" if measure is None else _number(value, measure.digits),
        _as_frame(row, measure),
        _number(row.peak_memory_mb, 0),
    ]


def _number(value: float | None, digits: int) -> str:
    return ABSENT if value is None else f"{value:.{digits}f}"


def _as_frame(row: Row, measure: Measure | None) -> str:
    """How far a mode that skips agrees with mode "frame"; of exact, whether it has its bits."""
    if row.mode == "exact":
        return "" if row.identical is None else "yes" if row.identical else "NO"
    value = row.as_frame.get(measure.name) if measure else None
    return "" if value is None or measure is None else f"{value:.{measure.digits}f}"
