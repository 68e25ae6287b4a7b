"""Fidelity against cost: what is drawn, on which axis, for whatever data."""

from __future__ import annotations

from typing import Any

import pytest
import vl_convert

from videoquant.report.answer import Answer, Question, answer
from videoquant.report.fidelity_chart import default_chart, fidelity_charts
from videoquant.report.wish import read_wish
from videoquant.tasks.sqnr import EXACT_DB


def drawn(spec: Any) -> list[Any]:
    points: list[Any] = spec["layer"][-1]["data"]["values"]
    return points


def test_points_intervals_front_and_answer(make_comparison: Any) -> None:
    comparison = make_comparison()
    wish = read_wish("keypoint F1 >= 0.95", comparison.measures, ())
    found = answer(comparison, Question(wish=wish))
    charts = fidelity_charts(comparison, found)
    assert list(charts) == ["gbops|agreementkeypoint_f1", "gbops|sqnr_db"]
    assert default_chart(charts, found) == "gbops|agreementkeypoint_f1"
    unit, measure, spec = charts["gbops|agreementkeypoint_f1"]
    assert (unit, measure) == ("GBOPs per frame", "keypoint F1")
    points = {point["name"]: point for point in drawn(spec)}
    assert "fp32" not in points and len(points) == 10
    assert points["w8a8"]["y"] == pytest.approx(1 - 0.971)
    assert [name for name, point in points.items() if point["chosen"]] == [found.row and found.row.name]
    assert all(point["low"] >= point["y"] >= point["high"] for point in points.values() if point["low"])
    front = sorted((p["x"], p["y"]) for p in points.values() if p["front"])
    assert front == sorted(front, key=lambda point: (point[0], -point[1])) and len(front) >= 3
    lines = {line["text"]: line["y"] for line in spec["layer"][0]["data"]["values"]}
    assert set(lines) == {"fp32: 1.000", "wished: keypoint F1 ≥ 0.95"}
    assert lines["wished: keypoint F1 ≥ 0.95"] == pytest.approx(0.05)


def test_a_wish_that_none_reaches_stands_above_them_all(make_comparison: Any) -> None:
    comparison = make_comparison(("fp32", "w4a8", "w4a4"))
    wish = read_wish("keypoint F1 >= 0.98", comparison.measures, ())
    spec = fidelity_charts(comparison, answer(comparison, Question(wish=wish)))["gbops|agreementkeypoint_f1"][
        2
    ]
    lines = {line["text"].partition(":")[0]: line["y"] for line in spec["layer"][0]["data"]["values"]}
    assert lines["wished"] == pytest.approx(0.02)
    assert lines["fp32"] < lines["wished"] < min(point["high"] for point in drawn(spec))


def test_the_axis_ends_at_what_is_measured(make_comparison: Any) -> None:
    comparison = make_comparison()
    spec = fidelity_charts(comparison, answer(comparison))["gbops|agreementkeypoint_f1"][2]
    y = spec["layer"][0]["encoding"]["y"]
    low, high = y["scale"]["domain"]
    assert 0 < low < high < 1  # of what is missing to 1: no F1 above 1, none below 0
    assert all(low <= value <= high for value in y["axis"]["values"]) and len(y["axis"]["values"]) >= 3
    x = spec["layer"][4]["encoding"]["x"]["scale"]["domain"]
    assert x[0] > 20 and x[1] < 120  # fp32's 1528 GBOPs squeeze nothing


@pytest.mark.parametrize("db", [EXACT_DB, -EXACT_DB, 0.0, 30.0])
@pytest.mark.parametrize("schemes", [("fp32",), ("w8a8",), ("fp32", "w8a8", "w4a4")])
def test_odd_values_compile(schemes: tuple[str, ...], db: float, make_comparison: Any) -> None:
    comparison = make_comparison(schemes, primary="a $name_{")
    for row in comparison.rows:
        row.sqnr_db, row.agreement = db, {}
    charts = fidelity_charts(comparison, answer(comparison))
    assert (not charts) is (schemes == ("fp32",) or db == EXACT_DB)
    for _, _, spec in charts.values():
        assert vl_convert.vegalite_to_vega(spec)["marks"]


def test_nothing_to_show(make_comparison: Any) -> None:
    comparison = make_comparison(("fp32",))
    assert fidelity_charts(comparison, Answer(None, [])) == {} and default_chart({}, Answer(None, [])) == ""
