"""A quantized network's plan beside its simulation, value by value, through the stream that users have.

What the simulation gave is demanded to the last bit, and the first difference fails by frame and name, except
where an operator is free to round otherwise (`engine/lockstep.py`).
"""

import pytest
import torch

from tests.engine.plan_interpreter import Interpreter
from videoquant.engine.lockstep import Lockstep
from videoquant.engine.lower import lower
from videoquant.runtime.program import PredictedRanges
from videoquant.runtime.stream import Stream


class Agreement(Lockstep):
    """Runs frames through both.

    session: made of the plan; default the interpreter's. differences: where they may be.
    """

    def __init__(self, quantized, session=Interpreter, forced=False):
        super().__init__(quantized, lower(quantized), session, forced)
        self.differences = []

    def run(self, frame):
        """One frame through both. Fails at the first difference that no rounding explains."""
        found = super().run(frame)
        assert self.stream.is_key == self.simulation.is_key
        for difference in found.differences:
            assert difference.may_round, difference
        self.differences += found.differences
        if not self.forced:
            for name, y in found.outputs.items():
                assert torch.equal(found.engine_outputs[name], y), f"output {name}"

    def check(self, share=1e-4, error=1e-6):
        """What may differ does so by a step of a code, in less than this share of them, or by rounding."""
        codes = [difference for difference in self.differences if difference.in_steps]
        values = [difference for difference in self.differences if not difference.in_steps]
        assert all(difference.largest == pytest.approx(1, abs=1e-4) for difference in codes), codes
        assert sum(difference.count for difference in codes) <= share * self.compared["codes"]
        assert all(difference.largest < error for difference in values), values


def check_outputs(quantized, plan, frames, flipped, exact):
    """That a plan's stream gives what the simulation does, over a whole video.

    exact: to the last bit; else up to `flipped`, the relative square error that codes which were rounded the
    other way may make.
    """
    stream, simulation = Stream(plan, Interpreter(plan)), quantized.stream()
    for frame in frames:
        wanted, got = simulation.run(frame), stream.run(frame)
        assert stream.is_key == simulation.is_key
        for name, y in wanted.items():
            if exact:
                assert torch.equal(y, got[name])
            else:
                assert float((y - got[name]).square().mean()) < flipped * float(y.square().mean())


def is_early(program):
    """Whether a program's ranges are predicted from a sample, before the value is computed."""
    return any(
        isinstance(update, PredictedRanges) and op.name.endswith(" sample")
        for update in program.updates
        for op in program.ops[update.before_op - 1 : update.before_op]
    )
