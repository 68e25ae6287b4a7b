"""The sentences hold for the rows they are made of."""

from __future__ import annotations

from typing import Any

from videoquant.comparison import Comparison, Row
from videoquant.costs.chip_file import open_chip
from videoquant.costs.simulator import SchemeCost
from videoquant.report.summary import summary
from videoquant.tasks import Measure
from videoquant.tasks.sqnr import EXACT_DB


def of(*rows: Row, accuracy: tuple[Measure, ...] = ()) -> list[str]:
    return summary(Comparison("net", "clip", None, (), "out", list(rows), accuracy=accuracy))


def test_names_the_best_and_the_cheapest_near_it(comparison: Comparison) -> None:
    assert summary(comparison) == [
        "Of 10 quantized schemes `w8a8` stays closest to fp32: 22.4 dB SQNR at 95.5 GBOPs per frame.",
        "The cheapest within 3 dB of it is `w8a8->w4a8 T=3 adaptive`: 19.9 dB at 44.1 GBOPs per frame, "
        "35× less than `fp32` and 2.2× less than `w8a8`.",
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
        Row("fp32", 160.0, EXACT_DB, accuracy={"d": 0.0}),
        Row("w8a8", 10.0, 30.0, accuracy={"d": 0.5}),
        Row("w8a4", 5.0, 20.0, accuracy={"d": 1.2}),
        Row("w4a4", 2.5, 9.0, accuracy={"d": 4.0}),
    ]
    assert of(*rows, accuracy=(distance,))[-1] == (
        "By landmark distance (labels) the best is `w8a8` (0.50 %); the cheapest within 1 % of it is `w8a4` "
        "(1.20 %), at 5.00 GBOPs per frame."
    )


SHARE = Measure("f1", "keypoint F1")


def test_a_measure_that_saw_nothing_recommends_nothing() -> None:
    empty = [Row("w8a8", 10.0, 30.0, accuracy={}), Row("w4a4", 2.5, 9.0, accuracy={})]
    said = "keypoint F1 (labels) recommends none: these frames show nothing that it could measure."
    assert of(*empty, accuracy=(SHARE,))[-1] == said
    ghosts = [*empty, Row("w2a2", 0.6, 1.0, accuracy={"f1": 0.0})]  # it sees what is not there
    assert of(*ghosts, accuracy=(SHARE,))[-1] == said


def test_a_measure_that_is_the_same_for_all_recommends_nothing() -> None:
    rows = [Row("w8a8", 10.0, 30.0, accuracy={"f1": 1.0}), Row("w4a4", 2.5, 9.0, accuracy={"f1": 1.0})]
    assert of(*rows, accuracy=(SHARE,))[-1] == (
        "keypoint F1 (labels) recommends none: it is 1.000 for all, so it cannot tell them apart."
    )


def test_what_the_engine_does_not_run_is_passed_over() -> None:
    rows = [Row("w8a8", 10.0, 30.0), Row("w8a8->w4a8 T=3 adaptive tau=2", 4.0, 31.0), Row("w8a4", 5.0, 29.0)]
    first, second, last = of(*rows)
    assert "`w8a8` stays closest" in first and "is `w8a4`" in second
    assert last == ("Passed over, since the integer engine does not run it: `w8a8->w4a8 T=3 adaptive tau=2`.")
    (only,) = of(rows[1])
    assert only == "None of these schemes is recommended, since the integer engine runs none of them."


def test_on_a_chip_its_time_decides_and_what_it_cannot_run_is_passed_over() -> None:
    rows = [
        Row("fp32", 160.0, EXACT_DB, on_chip=SchemeCost(40.0, None, {})),
        Row("w8a8", 10.0, 30.0, on_chip=SchemeCost(4.0, None, {})),
        Row("w4a8", 5.0, 29.0, on_chip=SchemeCost(4.0, None, {})),  # no faster there
        Row("w3a3", 2.0, 28.5, on_chip=SchemeCost(None, None, {})),
    ]
    chip = open_chip("nvidia-t4")
    first, second, last = summary(Comparison("net", "clip", None, (), "out", rows, chip=chip))
    assert f"at 4.00 ms per frame on {chip.name} (simulated), 10× less than `fp32`" in first
    assert second == "No cheaper scheme comes within 3 dB of it."
    assert last.endswith("does not run it: `w3a3`.")


def test_on_the_engine_measured_time_decides() -> None:
    rows = [
        Row("fp32", 160.0, EXACT_DB),
        Row("w8a8", 10.0, 30.0, frames_per_second=100.0, work_share=1.0),
        Row("w4a8", 5.0, 29.0, frames_per_second=100.0, work_share=1.0),
        Row("w8a8->w4a8 T=3 adaptive", 4.0, 29.5),  # simulated
    ]
    first, second, last = summary(Comparison("net", "clip", None, (), "out", rows, engine="exact"))
    assert first.endswith("30.0 dB SQNR at 10.0 ms per frame.")
    assert second == "No cheaper scheme comes within 3 dB of it."
    assert "`w8a8->w4a8 T=3 adaptive`" in last
