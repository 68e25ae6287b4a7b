"""A comparison on a chip: its columns, its plot, and nothing of it where no chip was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.costs.chips import ROUND
from videoquant.comparison import Comparison
from videoquant.costs.simulator import SchemeCost
from videoquant.report.answer import answer
from videoquant.report.fidelity_chart import fidelity_charts
from videoquant.report.html import page
from videoquant.report.results import to_dict
from videoquant.report.table import columns

SCHEMES = ("fp32", "w8a8", "w4a4", "w8a8->w4a4 T=3")
COSTS = (
    SchemeCost(None, None, {(32, 32): None}),
    SchemeCost(4.0, 0.5, {}),
    SchemeCost(2.5, None, {(4, 4): (8, 8)}),
    SchemeCost(0.125, 0.25, {}),
)


@pytest.fixture
def on_chip(make_comparison: Any) -> Comparison:
    comparison: Comparison = make_comparison(SCHEMES, chip=ROUND)
    for row, cost in zip(comparison.rows, COSTS, strict=True):
        row.on_chip = cost
    return comparison


def test_columns(on_chip: Comparison) -> None:
    cells = {column.heading: column.cells for column in columns(on_chip)[-3:]}
    assert cells == {
        "chip ms ↓": ["–", "4.000", "2.500", "0.125"],
        "chip fps ↑": ["–", "250", "400", "8000"],
        "chip mJ ↓": ["–", "0.500", "–", "0.250"],
    }
    assert [column.heading for column in columns(on_chip) if column.higher_is_better][-1] == "chip fps ↑"


def test_measured_energy_has_a_column_only_where_it_was_measured(on_chip: Comparison) -> None:
    on_chip.engine = "exact"
    assert not any("measured" in column.heading for column in columns(on_chip))
    on_chip.rows[1].measured_mj = 12.5
    (measured,) = (column for column in columns(on_chip) if "measured" in column.heading)
    assert measured.cells == ["–", "12.5", "–", "–"]
    assert "whatever else ran" in page(on_chip)


def test_plot_leaves_out_what_the_chip_cannot_run(on_chip: Comparison) -> None:
    charts = fidelity_charts(on_chip, answer(on_chip))
    assert {key.split("|")[0] for key in charts} == {"gbops", "ms", "mj"}
    drawn = {cost: points_of(charts[f"{cost}|agreementkeypoint_f1"][2]) for cost in ("gbops", "ms", "mj")}
    assert drawn["ms"] == {"w8a8": 4.0, "w4a4": 2.5, "w8a8->w4a4 T=3": 0.125}
    assert drawn["mj"] == {"w8a8": 0.5, "w8a8->w4a4 T=3": 0.25}
    assert drawn["gbops"].keys() == drawn["ms"].keys()


def points_of(spec: Any) -> dict[str, float]:
    return {point["name"]: point["x"] for point in spec["layer"][-1]["data"]["values"]}


def test_report_says_what_the_chip_lacks(on_chip: Comparison) -> None:
    text = page(on_chip)
    assert "on round (simulated)</option>" in text and "round computes w4a4 as w8a8" in text
    assert "round has nothing for w32a32" in text


def test_nothing_of_a_chip_where_none_was_asked_for(comparison: Comparison) -> None:
    assert "(simulated)" not in page(comparison)
    assert to_dict(comparison)["chip"] is None and to_dict(comparison)["rows"][0]["on_chip"] is None
