"""Every operator of the native engine: what PyTorch computes, on every instruction set, in every mode."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.plan_interpreter import Interpreter
from tests.native.drawn_plans import KINDS, Drawn, chains, plans, step_plans
from tests.operators import MEANINGS
from tests.operators.elementwise import STEPS
from tests.operators.plan_draft import Spec
from videoquant import _native

OTHERS = [isa for isa in _native.isas() if isa != "reference"]


def native(spec: Spec, isa: str, mode: str = "frame", threads: int = 1) -> Any:
    return _native.Session(_native.Plan(spec), isa, threads, mode)


def after_each(
    session: Any, slots: Iterable[int], frames: Sequence[np.ndarray]
) -> list[dict[int, np.ndarray]]:
    """What is in these slots after each frame."""
    result = []
    for frame in frames:
        session.run("key", frame)
        result.append({i: np.array(session.slot(i)) for i in slots})
    return result


def every_slot(session: Any, spec: Spec, frames: Sequence[np.ndarray]) -> list[dict[int, np.ndarray]]:
    return after_each(session, range(1, len(spec["slots"])), frames)


def outputs(session: Any, spec: Spec, frames: Sequence[np.ndarray]) -> list[dict[int, np.ndarray]]:
    return after_each(session, spec["outputs"].values(), frames)


def assert_identical(
    spec: Spec, got: list[dict[int, np.ndarray]], expected: list[dict[int, np.ndarray]], who: str
) -> None:
    for frame, (slots, twins) in enumerate(zip(got, expected, strict=True)):
        for i, a in slots.items():
            b = twins[i]
            if np.array_equal(a, b, equal_nan=a.dtype == np.float32):
                continue
            y, x, c = np.argwhere((a != b) & ~((a != a) & (b != b)))[0]
            ops = spec["programs"]["key"]["ops"]
            op = next(
                op
                for op in ops
                for step in op["steps"]
                if step["do"].startswith("store") and step["slot"] == i
            )
            pytest.fail(
                f"{who}: frame {frame}, slot {i} of {op['kind']} {op['attrs']} "
                f"on {[spec['slots'][i] for i in op['inputs']]} gives {a[y, x, c]} instead of {b[y, x, c]} "
                f"in row {y}, column {x}, channel {c} of {a.shape}; "
                f"steps {[step['do'] for step in op['steps']]}"
            )


def test_every_operator_has_its_file() -> None:
    for kind in _native.operators():
        where = f"no file in tests/operators says of the operator {kind!r}"
        assert kind in MEANINGS, f"{where} what it computes (@meaning)"
        # A sparse part is followed in no mode; tests/engine/test_dense_sparse.py has it.
        assert kind in KINDS or kind == "sparse", f"{where} how it is drawn for random plans (@drawn)"


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_operator_computes_what_pytorch_does(kind: str, data: st.DataObject) -> None:
    drawn = data.draw(plans(kind))
    spec, frames = drawn.spec, drawn.video(1)
    got = every_slot(native(spec, "reference"), spec, frames)[0]
    expected = every_slot(Interpreter.of(spec), spec, frames)[0]
    # Sums of products that cancel are off by a share of what was added, not of what is left (docs/engine.md).
    added = every_slot(Interpreter.of(absolute(spec)), spec, [np.abs(frame) for frame in frames])[0]
    for i, a in got.items():
        slot, b = spec["slots"][i], expected[i]
        rounding = 2 * 65 * 2.0**-24 * added[i] if kind.startswith("fconv") else 0
        if slot["type"] == "u8":
            assert (
                np.abs(a.astype(int) - b).max() <= 1
            )  # floats that differ in the last place may round apart
            assert np.count_nonzero(a != b) <= 1 + a.size // 100
        else:
            # Dequantized codes are apart by a step where their codes are.
            apart = np.abs(a - b) > 2e-6 * np.abs(b).max() + 1e-6 + rounding
            assert np.count_nonzero(apart) <= (1 + a.size // 100 if is_dequantized(spec, slot) else 0)


def absolute(spec: Spec) -> Spec:
    """The same plan with the absolute values of its weights and biases."""
    spec = copy.deepcopy(spec)
    for op in spec["programs"]["key"]["ops"]:
        op["tensors"] = {name: np.abs(tensor) for name, tensor in op["tensors"].items()}
    return spec


def is_dequantized(spec: Spec, slot: dict[str, Any]) -> bool:
    steps = [step for op in spec["programs"]["key"]["ops"] for step in op["steps"]]
    return any(step["do"] == "store_values" and spec["slots"][step["slot"]] is slot for step in steps)


@pytest.mark.parametrize("do", STEPS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_step_computes_what_pytorch_does(do: str, data: st.DataObject) -> None:
    drawn = data.draw(step_plans(do))
    spec, frames = drawn.spec, drawn.video(1)
    last = len(spec["slots"]) - 1
    got = every_slot(native(spec, "reference"), spec, frames)[0][last]
    expected = every_slot(Interpreter.of(spec), spec, frames)[0][last]
    # Half of x times an error function that is at most 5e-7 off (docs/engine.md).
    erf = 2.5e-7 * np.abs(frames[0]).max() if do == "gelu" else 0
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6 + erf)


@pytest.mark.parametrize("isa", OTHERS)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_instruction_set_equals_the_reference(kind: str, isa: str, data: st.DataObject) -> None:
    drawn = data.draw(plans(kind, steps=3))
    spec, frames = drawn.spec, drawn.video(1)
    expected = every_slot(native(spec, "reference"), spec, frames)
    assert_identical(spec, every_slot(native(spec, isa), spec, frames), expected, isa)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data(), threads=st.integers(1, 3), isa=st.sampled_from(_native.isas()))
def test_exact_mode_is_identical_to_dense_frames(
    kind: str, data: st.DataObject, threads: int, isa: str
) -> None:
    drawn = data.draw(plans(kind, steps=2))
    spec, frames = drawn.spec, drawn.video(5)
    expected = every_slot(native(spec, "reference"), spec, frames)
    got = every_slot(native(spec, isa, "exact", threads), spec, frames)
    assert_identical(spec, got, expected, f"exact mode on {isa} with {threads} threads")


@settings(max_examples=300, deadline=None)
@given(drawn=chains(), threads=st.integers(1, 3), isa=st.sampled_from(_native.isas()))
def test_chain_of_operators_gives_the_same_in_every_mode(drawn: Drawn, threads: int, isa: str) -> None:
    spec, frames = drawn.spec, drawn.video(5)
    expected = outputs(native(spec, "reference"), spec, frames)
    assert_identical(spec, outputs(native(spec, isa, "frame", threads), spec, frames), expected, isa)
    assert_identical(
        spec, outputs(native(spec, isa, "exact", threads), spec, frames), expected, f"exact {isa}"
    )


def test_an_average_pool_with_a_dilation_is_refused() -> None:
    size = {"h": 6, "w": 6, "c": 3}
    attrs = {"kernel": [2, 2], "stride": [1, 1], "padding": [0] * 4, "dilation": [2, 2]}
    empty = {"inputs": [0], "tensors": {}, "steps": [], "h": 4, "w": 4, "c": 3}
    spec = {
        "version": 3,
        "slots": [{**size, "type": "f32", "keep": False, "name": "x"}],
        "grids": [],
        "programs": {
            "key": {"ops": [{"kind": "avg_pool", "name": "pool", "attrs": attrs, **empty}], "updates": []}
        },
        "outputs": {},
    }
    with pytest.raises(ValueError, match="an average pool with a dilation is not supported"):
        _native.Plan(spec)
