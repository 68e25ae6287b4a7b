"""The sentences hold for the rows they are made of."""

from __future__ import annotations

from typing import Any

from videoquant.comparison import Comparison, Row
from videoquant.report.summary import summary
from videoquant.tasks import Measure
from videoquant.tasks.sqnr import EXACT_DB


def of(*rows: Row, measures: tuple[Measure, ...] = ()) -> list[str]:
    return summary(Comparison("net", "clip", None, measures, "out", list(rows)))


def test_names_the_best_and_the_cheapest_near_it(comparison: Comparison) -> None:
    assert summary(comparison) == [
        "Of 10 quantized schemes `w8a8` stays closest to fp32: 22.4 dB SQNR at 95.5 GBOPs per frame.",
        "The cheapest within 3 dB of it is `w8a8->w4a8 T=3 adaptive`: 19.9 dB at 44.1 GBOPs per frame, "
        "35× less than `fp32` and 2.2× less than `w8a8`.",
        "By keypoint F1 the best is `w8a8->w8a8 T=3 adaptive` (0.972); the cheapest within 0.02 of it is "
        "`w8a8->w4a8 T=3 adaptive` (0.955), at 44.1 GBOPs per frame.",
    ]


def test_no_cheaper_scheme_is_near() -> None:
    assert of(Row("fp32", 160.0), Row("w8a8", 10.0, 30.0), Row("w4a4", 2.5, 9.0)) == [
        "Of 2 quantized schemes `w8a8` stays closest to fp32: 30.0 dB SQNR at 10.00 GBOPs per frame, "
        "16× less than `fp32`.",
        "No cheaper scheme comes within 3 dB of it.",
    ]


def test_one_scheme_alone_is_compared_with_nothing() -> None:
    assert of(Row("w4a4", 2.5, 9.0)) == ["`w4a4` gives 9.0 dB SQNR at 2.50 GBOPs per frame."]


def test_only_floating_point() -> None:
    (sentence,) = of(Row("fp32", 160.0))
    assert "No quantized scheme" in sentence


def test_exact_scheme_is_said_to_be_exact() -> None:
    first, second = of(Row("w8a8", 10.0, EXACT_DB), Row("w8a4", 5.0, 20.0))
    assert "exactly fp32’s output" in first and "dB" not in first
    assert second == "No cheaper scheme comes within 3 dB of it."


def test_dearer_than_w8a8_is_not_called_cheaper() -> None:
    first, _ = of(Row("w8a8", 10.0, 20.0), Row("w8a8->w8a8 T=3", 15.0, 30.0))
    assert first.endswith("at 15.0 GBOPs per frame, 1.5× more than `w8a8`.")
    first, _ = of(Row("w8a8", 10.0, 20.0), Row("w8a8->w8a8 T=3", 10.2, 30.0))
    assert first.endswith("about as much as `w8a8`.")


def test_measure_where_lower_is_better(make_comparison: Any) -> None:
    distance = Measure("d", "landmark distance", "%", higher_is_better=False, digits=2)
    rows = [
        Row("fp32", 160.0, EXACT_DB, {"d": 0.0}),
        Row("w8a8", 10.0, 30.0, {"d": 0.5}),
        Row("w8a4", 5.0, 20.0, {"d": 1.2}),
        Row("w4a4", 2.5, 9.0, {"d": 4.0}),
    ]
    assert of(*rows, measures=(distance,))[-1] == (
        "By landmark distance the best is `w8a8` (0.50 %); the cheapest within 1 % of it is `w8a4` (1.20 %), "
        "at 5.00 GBOPs per frame."
    )
