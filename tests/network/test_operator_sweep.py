"""The short form of `benchmarks/operator_sweep.py`: random forms of every operator, read, run and written."""

from pathlib import Path

import pytest

from benchmarks.operator_sweep import FAILURES, sweep
from tests.operators import GENERATORS
from videoquant.network import onnx_reader, onnx_writer, operators

COUNT = 12


def test_every_operator_that_is_read_has_a_generator() -> None:
    read = {*onnx_reader.OPERATORS, *onnx_reader.QUANTIZING}
    for op in read:
        assert op in GENERATORS, f"no file in tests/operators draws the ONNX operator {op} (@onnx)"
    assert set(GENERATORS) <= read


def test_every_operator_is_met_and_written(tmp_path: Path) -> None:
    met = {"silu"}  # no operator of ONNX: in test_onnx_writer.py
    for op in sorted(GENERATORS):
        for what, _, _, _, network in sweep(op, COUNT // 2, 0, tmp_path):
            met |= {node.op for node in network.nodes} if network and what == "same" else set()
    for op in operators.OPERATORS.keys() - {"state"}:  # which is an input: in test_onnx_states.py
        assert op in onnx_writer.OPERATORS, f"{op} is not written to ONNX (network/onnx_emitters.py)"
        assert op in met, f"no ONNX operator that tests/operators draws (@onnx) is read as {op}"


@pytest.mark.parametrize("op", sorted(GENERATORS))
def test_random_forms_give_the_numbers_of_onnx_runtime_or_are_refused(op: str, tmp_path: Path) -> None:
    seen = []
    for what, words, drawn, _, _ in sweep(op, COUNT, 0, tmp_path):
        assert what not in FAILURES, f"{drawn}: {words}"
        seen.append(what)
    assert "same" in seen
