"""Fidelity frame by frame, and the frames that tell schemes apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import vl_convert

from videoquant.comparison.over_clips import over_clips
from videoquant.report.frames_chart import (
    MOST_POINTS,
    facts_of,
    frame_name,
    frames_chart,
    range_on,
    telling,
    worst_on,
)


def test_lines_break_between_runs_and_keyframes_are_marked(make_comparison: Any) -> None:
    spec = frames_chart(make_comparison(("fp32", "w8a8->w4a4 T=3")))
    assert spec is not None
    points = spec["data"]["values"]
    assert [point["frame"] for point in points][:13] == [*range(12, 24), 96]
    runs = [point["run"] for point in points]
    assert runs[11] != runs[12] and len(set(runs)) == 5
    assert [point["key"] for point in points[:4]] == [True, False, False, True]
    assert vl_convert.vegalite_to_vega(spec)["marks"]


def test_long_streams_are_averaged(make_comparison: Any) -> None:
    comparison = make_comparison(("w8a8->w4a4 T=3",))
    frames = comparison.rows[0].per_frame
    comparison.rows[0].per_frame = [frames[i % 60] | {"frame": i} for i in range(500)]
    spec = frames_chart(comparison)
    assert spec is not None and len(spec["data"]["values"]) <= MOST_POINTS
    mean = sum(frame["agreement"]["keypoint_f1"] for frame in comparison.rows[0].per_frame[:3]) / 3
    assert spec["data"]["values"][0]["value"] == f"{mean:.3f}"


def test_nothing_of_stills_and_of_floating_point(make_comparison: Any) -> None:
    assert frames_chart(make_comparison(stills=True)) is None
    assert frames_chart(make_comparison(("fp32",))) is None


def test_frames_on_which_schemes_differ_are_found_apart(make_comparison: Any) -> None:
    comparison = make_comparison(("fp32", "w8a8", "w4a4"))
    comparison.drawn = list(range(len(comparison.rows[0].per_frame)))
    for row in comparison.rows:
        for frame in row.per_frame:
            frame["agreement"] = {"keypoint_f1": 1.0}
    for place, value in ((30, 0.1), (31, 0.2), (5, 0.5)):
        comparison.rows[2].per_frame[place]["agreement"] = {"keypoint_f1": value}
    found = telling(comparison)
    assert {30, 5} <= set(found) and 31 not in found and found == sorted(found)
    assert worst_on(comparison, 30) is comparison.rows[2]
    assert range_on(comparison, 30) == "keypoint F1 0.100 to 1.000"
    assert facts_of(comparison, comparison.rows[2], 30).startswith("keypoint F1 0.100, SQNR ")


def test_frames_of_two_clips_with_the_same_numbers_are_apart(make_comparison: Any) -> None:
    days = [make_comparison(("fp32", "w8a8", "w4a4")).rows for _ in range(2)]
    days[1][2].per_frame[30]["agreement"] = {"keypoint_f1": 0.1}
    rows = [over_clips({"day": day, "night": replace(night)}) for day, night in zip(*days, strict=True)]
    comparison = make_comparison((), rows=rows, drawn=[30, 90])
    assert len(rows[0].pictures) == 2 * len(days[0][0].pictures)
    assert frame_name(comparison, 90) == f"night, {frame_name(comparison, 30).removeprefix('day, ')}"
    assert worst_on(comparison, 90) is rows[2]
    facts = [facts_of(comparison, rows[2], place) for place in (30, 90)]
    assert facts[1].startswith("keypoint F1 0.100, ") and not facts[0].startswith("keypoint F1 0.100, ")
    spec = frames_chart(comparison)
    assert spec is not None and {point["clip"] for point in spec["data"]["values"]} == {"day", "night"}
