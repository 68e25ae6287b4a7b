"""The short form of `benchmarks/operator_sweep.py`: random forms of every operator that the reader knows."""

from pathlib import Path

import pytest

from benchmarks.drawn_moves import GENERATORS
from benchmarks.operator_sweep import FAILURES, sweep
from videoquant.network.onnx_reader import OPERATORS

COUNT = 12


def test_every_operator_has_a_generator() -> None:
    assert set(GENERATORS) == set(OPERATORS)


@pytest.mark.parametrize("op", sorted(GENERATORS))
def test_random_forms_give_the_numbers_of_onnx_runtime_or_are_refused(op: str, tmp_path: Path) -> None:
    seen = []
    for what, words, drawn, _ in sweep(op, COUNT, 0, tmp_path):
        assert what not in FAILURES, f"{drawn}: {words}"
        seen.append(what)
    assert "same" in seen
