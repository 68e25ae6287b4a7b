"""The results as a table: its cells as text, which the report shows too, and its form for a terminal."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from videoquant.comparison import Comparison, Row
from videoquant.costs.simulator import SchemeCost
from videoquant.report.pareto import pareto
from videoquant.report.shown_columns import column_name
from videoquant.report.wish import SQNR, Wish
from videoquant.tasks import Measure
from videoquant.tasks.sqnr import EXACT_DB

ABSENT = "–"
NO_COST = SchemeCost(None, None, {})
FRONT_MARK = "*"
HEADING_WIDTH = 12  # where headings break, so that long schemes and two measures fit in 80 columns
FRONT_MEANING = "every closer scheme costs more, every cheaper one is less close"


@dataclass(frozen=True)
class Column:
    """One column of numbers. heading: as written, with unit and arrow. cells: the text of every row.

    values: what to sort by, None where a cell is empty.
    higher_is_better: which way a reader wants it.
    intervals: of measures, the 95% interval of every row as text (`Wish.interval`), "" where frames are too
        few or it is a point.
    """

    heading: str
    cells: list[str]
    values: list[float | None]
    higher_is_better: bool
    intervals: list[str] = field(default_factory=list)


def columns(comparison: Comparison) -> list[Column]:
    """GBOPs per frame, SQNR, every measure of the task, and those against labels, in this order.

    Then, where an engine ran, its frames per second and the share of work that it did, and, where the machine
    measures them, millijoules; at last, where a chip was asked for, what it takes in simulation.
    """
    costs = [row.gbops_per_frame for row in comparison.rows]
    digits = cost_digits(costs)
    decibels = [row.sqnr_db for row in comparison.rows]
    sqnr = _intervals(Wish(SQNR, 0.0, ""), comparison)
    return [
        Column("GBOPs per frame ↓", [f"{cost:.{digits}f}" for cost in costs], list(costs), False),
        Column("SQNR dB ↑", [sqnr_text(db) for db in decibels], list(decibels), True, sqnr),
        *(
            _measure_column(heading(measure), Wish(measure, 0.0), comparison)
            for measure in comparison.measures
        ),
        *(
            _measure_column(heading(against_labels(measure)), Wish(measure, 0.0, "accuracy"), comparison)
            for measure in comparison.accuracy
        ),
        *(_engine_columns(comparison.rows) if comparison.engine else ()),
        *(_chip_columns(comparison.rows) if comparison.chip else ()),
    ]


def headings(measures: Sequence[Measure], accuracy: Sequence[Measure], engine: bool, chip: bool) -> list[str]:
    """The columns that a comparison may have. engine, chip: whether one is asked for."""
    shown = ["GBOPs per frame ↓", "SQNR dB ↑", *map(heading, measures)]
    shown += map(heading, map(against_labels, accuracy))
    shown += ["frames/s ↑", "work % ↓", "measured mJ ↓"] if engine else []
    return shown + (["chip ms ↓", "chip fps ↑", "chip mJ ↓"] if chip else [])


def spare_columns(comparison: Comparison) -> list[str]:
    """What a narrow terminal goes without, the least first; the cost and the first measure always stay."""
    more = [*map(heading, comparison.measures[1:])]
    more += map(heading, map(against_labels, comparison.accuracy[1:]))
    told = bool(comparison.measures or comparison.accuracy)
    order = ["chip fps", "work %", *reversed(more), "measured mJ", "chip mJ", *(["SQNR dB"] if told else [])]
    return [column_name(name) for name in order]


def render_table(comparison: Comparison) -> Table:
    """The comparison for a terminal of 80 columns or more, readable without colour.

    A row per scheme; `FRONT_MARK` stands in front of those on the Pareto front of GBOPs and SQNR.
    """
    caption = f"{FRONT_MARK} Pareto front: {FRONT_MEANING}"
    if comparison.chip:
        caption += f"\nchip: simulated, {comparison.chip.name}"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=caption, caption_justify="left")
    table.add_column("", width=1)
    table.add_column("scheme")
    shown = columns(comparison)
    for column in shown:
        table.add_column(Text(_broken(column.heading)), justify="right", no_wrap=True)
    for index, (row, on_front) in enumerate(zip(comparison.rows, pareto(comparison.rows), strict=True)):
        mark = Text(FRONT_MARK if on_front else "", style="bold green")
        cells = [Text(column.cells[index]) for column in shown]
        table.add_row(mark, Text(row.name, style="bold" if on_front else ""), *cells)
    return table


def cost_digits(costs: Sequence[float]) -> int:
    """Decimals that show three digits of the least cost, so that a column lines up at the point."""
    least = min((cost for cost in costs if cost > 0 and math.isfinite(cost)), default=1.0)
    return max(0, 2 - math.floor(math.log10(least)))


def sqnr_text(db: float) -> str:
    """SQNR with one decimal and without the unit; "exact" from `EXACT_DB` on."""
    return "exact" if db >= EXACT_DB else f"{db:.1f}"


def heading(measure: Measure) -> str:
    """A measure's label, its unit, and an arrow to the better side."""
    arrow = "↑" if measure.higher_is_better else "↓"
    return " ".join(part for part in (measure.label, measure.unit, arrow) if part)


def _broken(heading: str) -> str:
    """A heading in short lines, its arrow never alone."""
    bound = heading.replace(" ↑", "\u00a0↑").replace(" ↓", "\u00a0↓")
    return textwrap.fill(bound, HEADING_WIDTH, break_long_words=False)


def against_labels(measure: Measure) -> Measure:
    """A measure against labels, called so: one against fp32 may have the same name."""
    return replace(measure, label=f"{measure.label} (labels)")


def _engine_columns(rows: Sequence[Row]) -> list[Column]:
    rates, work = [row.frames_per_second for row in rows], [row.work_share for row in rows]
    shown = [Column("frames/s ↑", [ABSENT if x is None else f"{x:.1f}" for x in rates], rates, True)]
    if any(x is not None for x in work):
        percent = [ABSENT if x is None else f"{100 * x:.0f}" for x in work]
        shown.append(Column("work % ↓", percent, work, False))
    joules = [row.measured_mj for row in rows]
    return shown + ([_cost_column("measured mJ ↓", joules)] if any(x is not None for x in joules) else [])


def _chip_columns(rows: Sequence[Row]) -> list[Column]:
    costs = [row.on_chip or NO_COST for row in rows]
    rates = [cost.frames_per_second for cost in costs]
    return [
        _cost_column("chip ms ↓", [cost.ms for cost in costs]),
        Column("chip fps ↑", [ABSENT if x is None else f"{x:.0f}" for x in rates], rates, True),
        _cost_column("chip mJ ↓", [cost.mj for cost in costs]),
    ]


def _cost_column(heading: str, values: list[float | None]) -> Column:
    digits = cost_digits([value for value in values if value is not None])
    return Column(heading, [ABSENT if x is None else f"{x:.{digits}f}" for x in values], values, False)


def _measure_column(heading: str, wish: Wish, comparison: Comparison) -> Column:
    values, measure = [wish.value(row) for row in comparison.rows], wish.measure
    cells = [ABSENT if value is None else f"{value:.{measure.digits}f}" for value in values]
    return Column(heading, cells, values, measure.higher_is_better, _intervals(wish, comparison))


def _intervals(wish: Wish, comparison: Comparison) -> list[str]:
    found = [wish.interval(row, comparison.stills) for row in comparison.rows]
    number = sqnr_text if wish.measure is SQNR else lambda value: f"{value:.{wish.measure.digits}f}"
    ends = [[number(end) for end in between or ()] for between in found]
    return [" – ".join(pair) if len(set(pair)) == 2 else "" for pair in ends]
