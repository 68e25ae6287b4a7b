"""What `bench gating` found, as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from videoquant.bench.gating import GatingRow
from videoquant.report.table import FRONT_MARK, heading
from videoquant.tasks import Measure

FRONT = f"{FRONT_MARK} nothing here is closer to fp32 in as little time"


def on_front(rows: Sequence[GatingRow], measure: Measure) -> list[bool]:
    """Of the rows of one clip, those that no other beats in time and agreement with fp32."""
    scores = [row.agreement.get(measure.name) for row in rows]
    return [
        score is not None
        and not any(
            other is not None
            and measure.gain(other, score) >= 0
            and rival.cpu_ms <= row.cpu_ms
            and (measure.gain(other, score) > 0 or rival.cpu_ms < row.cpu_ms)
            for rival, other in zip(rows, scores, strict=True)
        )
        for row, score in zip(rows, scores, strict=True)
    ]


def gating_table(title: str, rows: Sequence[GatingRow], measure: Measure | None) -> Table:
    """The rows of one clip."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    scored = [heading(measure), "as every frame"] if measure else []
    boxes = ["found", "found/CPU s ↑", "tracks kept ↑"] if any(row.boxes for row in rows) else []
    for text in ("CPU ms ↓", "frames", "pixels", *scored, *boxes):
        table.add_column(text, justify="right")
    fronts = on_front(rows, measure) if measure else [False] * len(rows)
    for row, front in zip(rows, fronts, strict=True):
        name = f"{FRONT_MARK if front else ' '} {row.method} {row.setting}".rstrip()
        name += ", default" if row.is_default and row.setting else ""
        cells = [f"{row.cpu_ms:.1f}", f"{row.frames_share:.2f}", f"{row.pixels_share:.3f}"]
        if measure:
            cells += [_number(found.get(measure.name), measure) for found in (row.agreement, row.as_frame)]
        if boxes:
            found = ((row.boxes_found, 3), (row.found_per_cpu_second, 1), (row.tracks_kept, 3))
            cells += ["" if value is None else f"{value:.{digits}f}" for value, digits in found]
        table.add_row(name, *cells)
    if any(fronts):
        table.caption, table.caption_justify = FRONT, "left"
    return table


def _number(value: float | None, measure: Measure) -> str:
    return "" if value is None else f"{value:.{measure.digits}f}"
