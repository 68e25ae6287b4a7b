"""Of several clips, what each scheme keeps on each: page and terminal."""

from __future__ import annotations

from html import escape

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from videoquant.comparison import Comparison, Row
from videoquant.report.shown_columns import narrowed
from videoquant.report.table import ABSENT, heading
from videoquant.report.wish import SQNR
from videoquant.tasks import Measure


def worst_clip(row: Row, measure: Measure) -> tuple[str, float] | None:
    """The clip on which a scheme is worst by a measure, and what it has there; None where no clip has it."""
    values = {name: value for name, one in row.clips.items() if (value := on_clip(one, measure)) is not None}
    if not values:
        return None
    name = min(values, key=lambda name: measure.gain(values[name], 0.0))
    return name, values[name]


def on_clip(row: Row, measure: Measure) -> float | None:
    return row.sqnr_db if measure is SQNR else row.agreement.get(measure.name)


def shown_measure(comparison: Comparison) -> Measure:
    """The task's first measure, the SQNR where there is none."""
    return comparison.measures[0] if comparison.measures else SQNR


def render_clips(comparison: Comparison, console: Console) -> Table | None:
    """For a terminal: a row per scheme, a column per clip; None for one clip."""
    if len(comparison.clips) < 2:
        return None
    measure = shown_measure(comparison)
    table = Table(
        title=f"{heading(measure)} on each clip",
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("scheme")
    for name in comparison.clips:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for row in comparison.rows:
        values = [on_clip(row.clips[name], measure) for name in comparison.clips]
        table.add_row(Text(row.name), *(_cell(value, measure) for value in values))
    return narrowed(table, console, list(comparison.clips)[::-1])


def clip_section(comparison: Comparison) -> str:
    """The section of the page, "" for one clip."""
    if len(comparison.clips) < 2:
        return ""
    measure = shown_measure(comparison)
    heads = "".join(f"<th class='n'>{escape(name)}</th>" for name in comparison.clips)
    lines = []
    for row in comparison.rows:
        texts = {name: _cell(on_clip(row.clips[name], measure), measure) for name in comparison.clips}
        worst = worst_clip(row, measure) if len(set(texts.values())) > 1 else None
        cells = []
        for name, text in texts.items():
            marked = f"<strong>{text}</strong>" if worst and worst[0] == name else text
            cells.append(f"<td class='n'>{marked}</td>")
        lines.append(f"<tr><td><code>{escape(row.name)}</code></td>{''.join(cells)}</tr>")
    return (
        f"<section>\n<h2>{escape(measure.label)} on each clip</h2>\n<div class='scroll' role='region' "
        "aria-label='Clips' tabindex='0'><table>\n"
        f"<thead><tr><th>scheme</th>{heads}</tr></thead>\n<tbody>\n"
        + "\n".join(lines)
        + "\n</tbody></table></div>\n<p class='caption'>Every other number of this page is the mean of the "
        "clips, each of which counts the same. The worst of each row is bold.</p>\n</section>"
    )


def _cell(value: float | None, measure: Measure) -> str:
    return ABSENT if value is None else f"{value:.{measure.digits}f}"
