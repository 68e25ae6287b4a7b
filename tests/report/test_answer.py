"""The answer is the cheapest scheme that surely keeps the wish, or says why there is none."""

from __future__ import annotations

from typing import Any

import pytest

import videoquant as vq
from tests.report.test_wish import F1, row
from videoquant.comparison import Comparison, Row
from videoquant.report.answer import Question, answer
from videoquant.report.targets import read_target
from videoquant.report.wish import Wish


def made(scheme: str, gbops: float, runs: list[list[float | None]], **changes: Any) -> Row:
    one = row(runs)
    one.scheme, one.gbops_per_frame = scheme, gbops
    for name, value in changes.items():
        setattr(one, name, value)
    return one


def of(*rows: Row, **changes: Any) -> Comparison:
    return Comparison("net", "clip", "pose", (F1,), "out", list(rows), **changes)


FP32 = made("fp32", 160.0, [[1.0], [1.0], [1.0], [1.0]])
W8A8 = made("w8a8", 10.0, [[0.995], [0.996], [0.997], [0.995]])
W4A8 = made("w4a8", 5.0, [[0.999], [0.992], [0.999], [0.98]])  # kept, but not surely
W4A4 = made("w4a4", 2.5, [[0.7], [0.5], [0.6], [0.7]])


def test_the_cheapest_that_surely_keeps_it_and_the_one_that_may() -> None:
    found = answer(of(FP32, W8A8, W4A8, W4A4))
    assert found.row is W8A8
    first, second = found.sentences
    assert first == (
        "Take `w8a8`: keypoint F1 0.996 (0.994 to 0.997), at 10.00 GBOPs per frame, 16× less than `fp32`. "
        "It is the cheapest of 3 that surely keeps keypoint F1 ≥ 0.99."
    )
    assert second == (
        "`w4a8` would save another 50%: it kept that here, but not surely (keypoint F1 0.992 (0.978 to "
        "1.000))."
    )


def test_a_wish_of_ones_own_and_the_commands() -> None:
    question = Question(Wish(F1, 0.95), commands="videoquant quantize net.onnx --scheme '{scheme}' -o net.vq")
    found = answer(of(FP32, W8A8, W4A8, W4A4), question)
    assert found.row is W4A8 and len(found.sentences) == 1
    assert found.commands == "videoquant quantize net.onnx --scheme 'w4a8' -o net.vq"
    read = made("w4a8", 5.0, [[0.999], [0.999], [0.998], [0.999]], file="mine.vq")
    assert answer(of(FP32, W8A8, read), question).commands == ""  # it is made already


def test_none_keeps_it_and_none_surely() -> None:
    found = answer(of(FP32, W8A8, W4A4), Question(Wish(F1, 0.999)))
    assert found.row is None
    assert "No scheme keeps keypoint F1 ≥ 0.999: `w8a8` comes nearest" in found.sentences[0]
    found = answer(of(FP32, W4A8, W4A4))
    assert found.row is None
    assert "No scheme surely keeps keypoint F1 ≥ 0.99: on these frames `w4a8`" in found.sentences[0]


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([[None], [None], [None]], "they show nothing that keypoint F1 measures"),
        ([[1.0], [1.0], [1.0]], "keypoint F1 is 1.000 for all schemes"),
        ([[0.99, 0.98]], "too few to tell what keypoint F1 is on others"),
    ],
)
def test_frames_that_cannot_tell(runs: list[list[float | None]], message: str) -> None:
    other = [[0.5]] if message.startswith("too few") else runs
    found = answer(of(FP32, made("w8a8", 10.0, runs), made("w4a4", 2.5, other)))
    assert found.row is None and message in found.sentences[0]


def test_what_the_target_does_not_run_is_never_taken() -> None:
    dynamic = made("w8a8->w4a8 T=3 adaptive tau=2", 4.0, [[0.999], [0.998], [0.999], [0.999]])
    assert answer(of(FP32, W8A8, dynamic)).row is W8A8
    only = answer(of(FP32, dynamic))
    assert only.row is None and "the integer engine runs none of them" in only.sentences[0]


def test_the_cost_that_was_asked_for() -> None:
    fast = made("w8a8", 10.0, [[0.995], [0.996], [0.997], [0.995]], frames_per_second=50.0)
    slow = made("w4a8", 5.0, [[0.999], [0.999], [0.999], [0.998]], frames_per_second=20.0)
    assert answer(of(FP32, fast, slow, engine="exact")).row is fast
    assert answer(of(FP32, fast, slow, engine="exact"), Question(target="gbops")).row is slow


@pytest.mark.parametrize(
    ("text", "engine", "chip", "message"),
    [
        ("watts", True, True, "it must be gbops, ms or mj"),
        ("ms", False, False, "needs something that takes time"),
        ("mj", False, False, "needs --chip NAME"),
    ],
)
def test_targets_that_nothing_has(text: str, engine: bool, chip: bool, message: str) -> None:
    with pytest.raises(vq.SchemeError, match=message):
        read_target(text, engine, chip)
    assert read_target("gbops", False, False) == "gbops" and read_target(None, False, False) is None


def test_at_equal_cost_the_closest_by_what_is_asked_is_taken() -> None:
    one = made("w4a8", 5.0, [[0.995], [0.994], [0.995], [0.994]], sqnr_db=30.0)
    other = made("w8a8->w4a4 T=3", 5.0, [[0.998], [0.997], [0.998], [0.997]], sqnr_db=29.0)
    assert answer(of(FP32, one, other)).row is other


def test_at_equal_cost_ranges_that_look_at_the_input_come_last() -> None:
    better = made("w4a4 qpp", 5.0, [[0.999], [0.998], [0.999], [0.998]], sqnr_db=30.0)
    plain = made("w4a4", 5.0, [[0.997], [0.996], [0.997], [0.996]], sqnr_db=29.0)
    assert answer(of(FP32, better, plain)).row is plain
