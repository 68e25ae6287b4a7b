"""Charts by layer, against values by hand."""

from __future__ import annotations

from typing import Any

import pytest
import vl_convert

from videoquant.comparison import PredictedRanges
from videoquant.comparison.layer_inputs import LayerInput
from videoquant.report.layer_charts import (
    bits_chart,
    error_map,
    error_share,
    layer_panels,
    ranges_chart,
    steepest,
)


def predicted(layer: str, residual: bool, predicted: list[float], measured: list[float]) -> PredictedRanges:
    return PredictedRanges(layer, residual, "relu", 2.0, 0.9, predicted, measured)


def test_a_cell_for_each_scheme_and_layer(make_comparison: Any) -> None:
    comparison = make_comparison(("fp32", "w8a8", "w4a4"))
    spec = error_map(comparison)
    assert spec is not None
    cells = spec["data"]["values"]
    assert len(cells) == 2 * 54 and {cell["at"] for cell in cells} == set(range(54))
    assert all(cell["text"].endswith(" dB") and cell["db"] <= 40 for cell in cells)
    assert vl_convert.vegalite_to_vega(spec)["marks"]
    assert error_map(make_comparison(("fp32",))) is None


def test_panels_have_what_was_measured(make_comparison: Any) -> None:
    comparison = make_comparison(("fp32", "w8a8->w4a4 T=3"))
    row = comparison.rows[1]
    first, second = list(row.layer_sqnr_db)[:2]
    row.layer_sqnr_db[first] = 20.0
    row.layer_inputs = {first: LayerInput(-1.0, 3.0, 0.02, 0.75), second: LayerInput()}
    spec = layer_panels(comparison)
    assert spec is not None
    assert [panel["encoding"]["y"]["field"] for panel in spec["vconcat"]] == ["noise", "clipped", "zero"]
    facts = spec["data"]["values"][0]
    assert facts["noise"] == pytest.approx(1.0) and facts["clipped"] == 2.0 and facts["zero"] == 75.0
    assert facts["range"] == "-1 to 3" and "zero" not in spec["data"]["values"][1]
    assert vl_convert.vegalite_to_vega(spec)["marks"]
    row.layer_density = {first: 0.01}
    spec = layer_panels(comparison)
    assert spec is not None and spec["vconcat"][-1]["encoding"]["y"]["field"] == "density"


def test_where_the_error_grows_most(make_comparison: Any) -> None:
    row = make_comparison(("w8a8",)).rows[0]
    row.layer_sqnr_db = {"a": 30.0, "b": 10.0, "c": 5.0, "d": 20.0}  # noise 0.1%, 10%, 32%, 1%
    assert steepest(row) == "c"
    row.layer_sqnr_db = {"a": 30.0}
    assert steepest(row) is None


def test_bits_of_adaptive_schemes(make_comparison: Any) -> None:
    comparison = make_comparison()
    spec = bits_chart(comparison)
    assert spec is not None
    parts = spec["data"]["values"]
    assert {part["bits"] for part in parts} == {"0 bits (skipped)", "4 bits", "8 bits"}
    assert sum(part["share"] for part in parts) == pytest.approx(len({part["scheme"] for part in parts}))
    assert vl_convert.vegalite_to_vega(spec)["marks"]
    assert bits_chart(make_comparison(("w8a8",))) is None


def test_the_error_share_is_that_of_the_average() -> None:
    assert error_share(predicted("a", False, [1.0, 3.0], [1.0, 3.0])) == 0
    assert error_share(predicted("a", False, [2.0, 2.0], [1.0, 3.0])) == 1
    assert error_share(predicted("a", False, [1.5, 3.0], [1.0, 3.0])) == pytest.approx(0.125)
    assert error_share(predicted("a", False, [2.0], [2.0])) == 1  # nothing to gain


def test_predicted_ranges_of_key_and_residual_frames(make_comparison: Any) -> None:
    comparison = make_comparison(("w8a8", "w4a4"))
    comparison.rows[1].ranges = [
        predicted("a", False, [1.5, 3.0], [1.0, 3.0]),
        predicted("b", True, [2.0, 2.0], [1.0, 3.0]),
    ]
    spec = ranges_chart(comparison)
    assert spec is not None
    bars = spec["data"]["values"]
    assert [(bar["scheme"], bar["share"]) for bar in bars] == [
        ("w4a4", 0.125),
        ("w4a4, residual frames", 1.0),
    ]
    assert vl_convert.vegalite_to_vega(spec)["marks"]
    comparison.rows[1].ranges = []
    assert ranges_chart(comparison) is None
