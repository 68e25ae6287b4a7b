"""What a wish says, and how surely a row keeps it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

import videoquant as vq
from videoquant.comparison import Row
from videoquant.report.wish import PIECE, SQNR, Wish, read_wish
from videoquant.tasks import Measure

F1 = Measure("keypoint_f1", "keypoint F1")
DISTANCE = Measure("landmark_distance", "landmark distance", "%", higher_is_better=False, digits=2)


def row(runs: list[list[float | None]], measure: Measure = F1) -> Row:
    """A row whose frames have these values, in runs; None shows nothing."""
    frames: list[dict[str, Any]] = []
    for start, values in enumerate(runs):
        for step, value in enumerate(values):
            agreement = {} if value is None else {measure.name: value}
            frames.append({"frame": 1000 * start + step, "agreement": agreement, "sqnr_db": 20.0})
    seen = [v for values in runs for v in values if v is not None]
    return Row(
        "w8a8", 1.0, 20.0, {measure.name: math.fsum(seen) / len(seen)} if seen else {}, per_frame=frames
    )


def test_the_interval_is_students_over_runs() -> None:
    runs: list[list[float | None]] = [[0.9, 0.92], [0.95, 0.95], [0.8, 0.86], [0.99, 0.97]]
    found = Wish(F1, 0.9).interval(row(runs))
    means = [float(np.mean([v for v in run if v is not None])) for run in runs]
    low, high = stats.t.interval(0.95, 3, np.mean(means), stats.sem(means))
    assert found == (pytest.approx(low), pytest.approx(min(1.0, high)))


def test_a_long_run_is_cut_and_stills_stand_for_themselves() -> None:
    values: list[float | None] = [0.9] * PIECE + [0.8] * PIECE + [0.7] * 3
    cut = row([values[:PIECE], values[PIECE : 2 * PIECE], values[2 * PIECE :]])
    assert Wish(F1, 0.5).interval(row([values])) == pytest.approx(Wish(F1, 0.5).interval(cut), abs=1e-3)
    assert Wish(F1, 0.5).interval(row([[0.9, 0.8, 0.7]])) is None  # of one run
    assert Wish(F1, 0.5).interval(row([[0.9, 0.8, 0.7]]), stills=True) is not None


def test_frames_that_show_nothing_do_not_count() -> None:
    shown = [[0.9, 0.92], [0.95], [0.8, 0.86]]
    with_empty: list[list[float | None]] = [[0.9, None, 0.92], [None], [0.95], [0.8, 0.86, None]]
    assert Wish(F1, 0.5).interval(row(with_empty)) == Wish(F1, 0.5).interval(
        row([list(run) for run in shown])
    )
    assert Wish(F1, 0.5).interval(row([[None], [None], [None]])) is None


def test_it_is_surely_kept_where_the_whole_interval_keeps_it() -> None:
    spread = row([[0.99], [0.95], [0.91], [0.99]])
    low, _ = Wish(F1, 0.0).interval(spread) or (0, 0)
    assert Wish(F1, low - 1e-6).surely_kept(spread) and not Wish(F1, low + 1e-6).surely_kept(spread)
    far = row([[0.5], [0.6], [0.7]], DISTANCE)
    _, high = Wish(DISTANCE, 0.0).interval(far) or (0, 0)
    assert Wish(DISTANCE, high + 1e-6).surely_kept(far) and not Wish(DISTANCE, high - 1e-6).surely_kept(far)


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("keypoint F1 >= 0.98", Wish(F1, 0.98)),
        ("KEYPOINT_F1>=.5", Wish(F1, 0.5)),
        ("landmark distance ≤ 1.5 %", Wish(DISTANCE, 1.5)),
        ("keypoint f1 (labels) >= 0.7", Wish(F1, 0.7, "accuracy")),
        ("SQNR >= 25 dB", Wish(SQNR, 25.0, "")),
    ],
)
def test_words(text: str, wish: Wish) -> None:
    assert read_wish(text, (F1, DISTANCE), (F1,)) == wish
    assert read_wish(str(wish), (F1, DISTANCE), (F1,)) == wish


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keypoint F1", "it must be MEASURE >= X or MEASURE <= X"),
        ("keypoint F1 >= much", "it must be MEASURE >= X or MEASURE <= X"),
        ("keypont F1 >= 0.9", "keypont F1 is not measured here; did you mean keypoint F1. there are"),
        ("speed >= 9", "speed is not measured here; there are keypoint F1, landmark distance, SQNR"),
        ("keypoint F1 <= 0.9", "of keypoint F1 higher is better; turn the sign"),
        ("SQNR >= 1e999", "it must be MEASURE >= X or MEASURE <= X"),
        ("keypoint F1 >= 98", "keypoint F1 is a share, from 0 to 1"),
        ("landmark distance >= 1", "of landmark distance lower is better; turn the sign"),
    ],
)
def test_other_words(text: str, message: str) -> None:
    with pytest.raises(vq.SchemeError, match=message):
        read_wish(text, (F1, DISTANCE), ())
