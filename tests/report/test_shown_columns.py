"""Tables in a terminal: what fits, what is asked for, and what is said of the rest."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from videoquant.costs.chip import Chip
from videoquant.costs.simulator import SchemeCost
from videoquant.errors import SchemeError
from videoquant.report.shown_columns import chosen_columns, column_name, narrowed
from videoquant.report.table import columns, headings, render_table, spare_columns
from videoquant.tasks.metrics import MIOU

BOTH = ["weights", "shape"]


@pytest.mark.parametrize(("width", "gone"), [(100, []), (52, ["weights"]), (34, BOTH), (20, BOTH)])
def test_a_narrow_terminal_keeps_the_first_column(width: int, gone: list[str]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold", min_width=12)
    for name in ("weights", "shape", "bits"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_row("backbone.layer4.1.conv2", "512×512×3×3", "512×16×16", "w8a8")
    console = Console(file=io.StringIO(), width=width)
    console.print(narrowed(table, console, ("weights", "shape")))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    shown = {"weights": "512×512×3×3", "shape": "512×16×16"}
    assert [name for name in shown if shown[name] not in text] == gone
    assert "w8a8" in text and "…" not in text
    assert "backbone.lay" in text
    assert ("not shown, for want of width" in " ".join(text.split())) == bool(gone)


def shown(table: Table, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def wide(make_comparison: Any) -> Any:
    """Of everything that a comparison can have."""
    chip = Chip.__new__(Chip)
    object.__setattr__(chip, "name", "round")
    comparison = make_comparison(engine="exact", chip=chip, accuracy=(MIOU,))
    for row in comparison.rows:
        row.frames_per_second, row.work_share, row.measured_mj = 25.0, 0.5, 120.0
        row.accuracy, row.on_chip = {"miou": 0.7}, SchemeCost(4.0, 0.5, {})
    return comparison


def test_a_comparison_fits_80_columns_and_says_what_is_missing(wide: Any) -> None:
    console = Console(file=io.StringIO(), width=80)
    text = shown(narrowed(render_table(wide), console, spare_columns(wide)), 80)
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    words = " ".join(text.split())
    assert "not shown, for want of width: chip fps" in words and "Pareto front:" in words
    assert "GBOPs" in words and "keypoint" in words and "chip: simulated, round" in words
    console = Console(file=io.StringIO(), width=200)
    assert "not shown" not in shown(narrowed(render_table(wide), console, spare_columns(wide)), 200)


def test_what_is_asked_for_is_shown_in_its_order(wide: Any) -> None:
    known = headings(wide.measures, wide.accuracy, True, True)
    assert [column.heading for column in columns(wide)] == known
    only = chosen_columns("chip ms, SQNR,keypoint f1", known)
    assert only == ["chip ms", "SQNR dB", "keypoint F1"]
    table = narrowed(render_table(wide), Console(file=io.StringIO(), width=80), spare_columns(wide), only)
    assert [column_name(column.header) for column in table.columns] == ["", "scheme", *only]
    first = shown(table, 80).splitlines()
    assert any(line.split()[-3:] == ["4.00", "22.4", "0.971"] for line in first if "w8a8 " in line)
    assert chosen_columns(None, known) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SQNRR", "SQNRR is no column; did you mean SQNR dB? there are GBOPs per frame, SQNR dB"),
        ("chip", "chip may be several columns; there are "),
        (" , ", "--columns is empty; there are "),
    ],
)
def test_columns_that_there_are_not(text: str, said: str) -> None:
    with pytest.raises(SchemeError) as refused:
        chosen_columns(text, ["GBOPs per frame ↓", "SQNR dB ↑", "chip ms ↓", "chip fps ↑"])
    assert said in str(refused.value)
