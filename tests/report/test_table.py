"""The table, as an 80-column terminal without colour shows it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from videoquant.comparison import Comparison
from videoquant.report.table import cost_digits, render_table, sqnr_text
from videoquant.tasks import Measure
from videoquant.tasks.sqnr import EXACT_DB


def shown(comparison: Comparison) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=80, no_color=True).print(render_table(comparison))
    return file.getvalue().splitlines()


def test_rows_and_marks_of_the_front(comparison: Comparison) -> None:
    lines = shown(comparison)
    fp32 = next(line for line in lines if "fp32 " in line)
    assert fp32.split() == ["*", "fp32", "1528.0", "exact", "1.000"]
    w4a8 = next(line for line in lines if line.split()[:1] == ["w4a8"])
    assert w4a8.split() == ["w4a8", "48.6", "10.9", "0.842"]
    adaptive = next(line for line in lines if "w8a8->w8a8 T=3 adaptive" in line)
    assert adaptive.split()[-3:] == ["57.3", "22.2", "0.972"]
    assert any("Pareto front" in line for line in lines)


def test_headings_name_unit_and_direction(comparison: Comparison) -> None:
    upper, lower = (line.replace("\u00a0", " ").split() for line in shown(comparison)[1:3])
    assert upper == ["GBOPs", "per", "keypoint"]
    assert lower == ["scheme", "frame", "↓", "SQNR", "dB", "↑", "F1", "↑"]


def test_fits_80_columns_with_long_schemes_and_two_measures(comparison: Comparison) -> None:
    comparison.measures = (
        Measure("distance", "landmark distance", "%", higher_is_better=False, digits=2),
        Measure("mask_iou", "mask IoU"),
    )
    comparison.rows[1].scheme = "w8a8 per-tensor minmax head=fp tail=fp"
    comparison.rows[1].agreement = {"distance": 1.234, "mask_iou": 0.95}
    lines = shown(comparison)
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "…" not in text
    assert text.count("1.23") == 1 and "↓" in text
    assert "–" in text  # the others have no such measure


def test_columns_line_up_at_the_right(make_comparison: Any) -> None:
    lines = [line.rstrip() for line in shown(make_comparison(("fp32", "w4a4")))]
    rows = [line for line in lines if line.endswith(("1.000", "0.795"))]
    assert len(rows) == 2 and len(rows[0]) == len(rows[1])


@pytest.mark.parametrize(
    ("costs", "digits"),
    [([307.2, 4.81], 2), ([1528.0, 25.2], 1), ([0.0516], 4), ([300.0], 0), ([0.0], 2), ([], 2)],
)
def test_least_cost_shows_three_digits(costs: list[float], digits: int) -> None:
    assert cost_digits(costs) == digits


def test_exact_is_a_word() -> None:
    assert sqnr_text(EXACT_DB) == "exact"
    assert sqnr_text(EXACT_DB - 1) == "149.0"
    assert sqnr_text(-3.25) == "-3.2"
