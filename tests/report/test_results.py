"""The JSON and CSV forms, and the Pareto front."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoquant.comparison import Comparison, Row
from videoquant.errors import OutputError
from videoquant.json_file import write_json
from videoquant.report.pareto import front, pareto
from videoquant.report.results import to_dict, write_csv


def test_dictionary_has_every_documented_key(comparison: Comparison) -> None:
    data = to_dict(comparison)
    assert list(data) == [
        "format", "made", "network", "source", "calibration", "task", "primary_output", "frames",
        "labelled_frames", "complete", "engine", "chip", "answer", "rows",
    ]  # fmt: skip
    assert data["format"] == 2
    assert data["calibration"] == "15 frames of the same source, none of them scored"
    assert data["frames"] == 60 and data["complete"] is True
    assert [row["scheme"] for row in data["rows"]] == [row.scheme for row in comparison.rows]
    assert list(data["rows"][-1]) == [
        "scheme", "file", "gbops_per_frame", "sqnr_db", "agreement", "accuracy", "accuracy_by_label",
            "per_frame",
        "layer_sqnr_db", "layer_inputs", "layer_density", "shares", "layer_shares", "density",
        "frames_per_second", "work_share", "measured_mj", "on_chip", "ranges", "clips",
        "pareto",
    ]  # fmt: skip
    assert list(data["rows"][-1]["shares"]) == ["0", "4", "8"]
    assert data["rows"][1]["per_frame"][0].keys() == {"frame", "key", "gbops", "sqnr_db", "agreement"}


def test_json_file_reads_back_to_the_dictionary(comparison: Comparison, tmp_path: Path) -> None:
    comparison.source = "clip “é”.mp4"
    write_json(to_dict(comparison), tmp_path / "results.json")
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8")) == to_dict(comparison)


def test_numbers_that_json_lacks_become_null(make_comparison: Any, tmp_path: Path) -> None:
    comparison = make_comparison(("w8a8",))
    row = comparison.rows[0]
    row.sqnr_db, row.gbops_per_frame = math.nan, np.float64(3.5)
    row.per_frame = [{"frame": np.int64(7), "key": np.bool_(True), "gbops": math.inf, "sqnr_db": 1.0}]
    write_json(to_dict(comparison), tmp_path / "results.json")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    data = json.loads((tmp_path / "results.json").read_text(), parse_constant=refuse)
    assert data["rows"][0]["sqnr_db"] is None
    assert data["rows"][0]["gbops_per_frame"] == 3.5
    assert data["rows"][0]["per_frame"] == [{"frame": 7, "key": True, "gbops": None, "sqnr_db": 1.0}]


def test_csv_has_a_line_per_scheme(comparison: Comparison, tmp_path: Path) -> None:
    write_csv(comparison, tmp_path / "results.csv")
    with (tmp_path / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == [
        "scheme", "file", "gbops_per_frame", "sqnr_db", "keypoint_f1", "share_0", "share_4", "share_8",
    ]  # fmt: skip
    assert [line["scheme"] for line in lines] == [row.scheme for row in comparison.rows]
    assert lines[0]["share_0"] == ""
    for line, row in zip(lines, comparison.rows, strict=True):
        assert float(line["gbops_per_frame"]) == row.gbops_per_frame
        assert float(line["keypoint_f1"]) == row.agreement["keypoint_f1"]
    assert float(lines[-1]["share_8"]) == comparison.rows[-1].shares[8]


def test_csv_without_task_or_adaptive_scheme_has_four_columns(make_comparison: Any, tmp_path: Path) -> None:
    comparison = make_comparison(("fp32", "w8a8"), measures=(), task=None)
    write_csv(comparison, tmp_path / "results.csv")
    assert (tmp_path / "results.csv").read_text().splitlines() == [
        "scheme,file,gbops_per_frame,sqnr_db",
        "fp32,,1528.0,150.0",
        f"w8a8,,95.5,{comparison.rows[1].sqnr_db!r}",
    ]


def test_missing_folder_is_refused(comparison: Comparison, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        write_json(to_dict(comparison), tmp_path / "none" / "results")
    with pytest.raises(OutputError, match="does not exist"):
        write_csv(comparison, tmp_path / "none" / "results")


def test_front_of_a_small_case() -> None:
    rows = [Row("fp32", 100.0, 150.0), Row("w8a8", 10.0, 20.0), Row("w4a8", 5.0, 9.0), Row("w8a4", 5.0, 12.0)]
    assert pareto(rows) == [True, True, False, True]


def test_equal_rows_stand_on_the_front_together() -> None:
    assert front([(1.0, 2.0), (1.0, 2.0), (1.0, 1.0)]) == [True, True, False]


@given(st.lists(st.tuples(st.integers(1, 9).map(float), st.integers(-9, 9).map(float)), min_size=1))
def test_front_is_what_nothing_dominates(points: list[tuple[float, float]]) -> None:
    kept = [point for point, on_front in zip(points, front(points), strict=True) if on_front]
    assert min(points, key=lambda p: (p[0], -p[1])) in kept
    assert max(points, key=lambda p: (p[1], -p[0])) in kept
    for cost, fidelity in points:
        assert any(c <= cost and f >= fidelity for c, f in kept)
    ordered = sorted(set(kept))
    assert [f for _, f in ordered] == sorted(f for _, f in ordered)  # dearer is closer


def test_a_path_in_the_csv_is_no_formula(comparison: Comparison, tmp_path: Path) -> None:
    comparison.rows[1].file = "=cmd|x.vq"
    write_csv(comparison, tmp_path / "results.csv")
    with open(tmp_path / "results.csv", newline="", encoding="utf-8") as file:
        assert [row["file"] for row in csv.DictReader(file)][1] == "./=cmd|x.vq"
