"""The native engine runs plans as the interpreter does, whatever it uses of the CPU and of its memory."""

from dataclasses import replace

import pytest
import torch

import videoquant as vq
from tests.engine.plan_interpreter import Interpreter
from tests.networks import moving_frames, small_network
from tests.operators import ZOO, captured
from videoquant import _native
from videoquant.engine.lower import lower
from videoquant.runtime.program import Program
from videoquant.runtime.stream import Stream

SCHEMES = [
    "w8a8",
    "w3a5 asymmetric",
    "w8a8->w4a4 T=3 recurrent",
    "w4a4 head=fp",
    "w8a8 dynamic minmax",
    "w8a8 qpp",
]


def close(a, b):
    """Equal, but for the order in which means and floating-point convolutions add."""
    return all(
        torch.allclose(a[name], b[name], rtol=1e-5, atol=1e-5 * float(a[name].abs().max())) for name in a
    )


def check(plan, frames, **options):
    """That on every instruction set the engine gives what the interpreter does."""
    twin, natives = (
        Stream(plan, Interpreter(plan)),
        {isa: plan.stream(isa=isa, **options) for isa in _native.isas()},
    )
    for frame in frames:
        expected = twin.run(frame)
        for isa, native in natives.items():
            assert close(native.run(frame), expected), isa


@pytest.mark.parametrize("text", SCHEMES)
def test_schemes(text):
    frames = moving_frames(16)
    check(lower(vq.quantize(small_network(), text, frames[:12])), frames[12:])


@pytest.mark.parametrize("module", ZOO)
def test_operators(module):
    frames = moving_frames(5, 12)
    check(lower(vq.quantize(captured(module), "w8a8", frames[:3])), frames[3:], threads=1)


@pytest.mark.parametrize("module", [*ZOO, small_network])
@pytest.mark.parametrize("text", ["w8a8", "w8a8 dynamic minmax"])
def test_exact_is_frame_bit_for_bit(module, text):
    network, size = (captured(module), 12) if module in ZOO else (module(), 16)
    frames = moving_frames(8, size)
    frames += [frames[-1], frames[-1], frames[0]]
    plan = lower(vq.quantize(network, text, frames[:3]))
    dense, exact = plan.stream(), plan.stream("exact")
    for frame in frames:
        a, b = dense.run(frame), exact.run(frame)
        assert all(torch.equal(a[name], b[name]) for name in a)
    assert dense.work_share == 1 and dense.memory_bytes > 0


def test_a_plan_that_does_not_hold_together_is_refused():
    plan = lower(vq.quantize(small_network(), "w8a8", moving_frames(2)))
    first, second, *others = plan.programs["key"].ops
    damaged = {"key": Program((first, replace(second, inputs=(999,)), *others))}
    with pytest.raises(vq.NetworkError, match=r"small: .*an input is not a slot"):
        replace(plan, programs=damaged).stream()
