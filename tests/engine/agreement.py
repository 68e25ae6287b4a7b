"""A quantized network's plan beside its simulation, value by value, through the stream that users have.

The stream runs on a session that records what every operator stores (`Recorder`). What the simulation gave is
demanded to the last bit, and the first difference fails by frame and name. Left out is only what no
definition fixes so far: sums of floating-point numbers, which are added in an order of their own, and the
exponential and its like. With `forced`, operators and range updates read what the simulation gave in place of
what is there, so that what differs is that operator's doing: a deep network amplifies one code that was
rounded the other way.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch

from tests.engine.plan_interpreter import Interpreter
from videoquant.engine.body import split
from videoquant.engine.lower import lower
from videoquant.quantizers.on_grid import codes as quantize
from videoquant.ranges.features import sample_steps
from videoquant.runtime.program import Combine, Function, PredictedRanges, StoreResidual
from videoquant.runtime.stream import Stream

# What adds in an order, or approximates by a formula, of its own: the engine's are not PyTorch's.
FREE_KINDS = {"avg_pool", "global_pool", "adaptive_avg_pool", "softmax", "fconv", "fconv_transpose"}
FREE_STEPS = {"sigmoid", "silu", "gelu", "elu", "tanh", "erf"}


def read_by(op):
    """The slots that an operator and its program read."""
    steps = [step.slot for step in op.steps if isinstance(step, Combine) and step.slot is not None]
    references = [step.reference for step in op.steps if isinstance(step, StoreResidual)]
    return {*op.inputs, *steps, *references, *([] if op.sparse is None else [op.sparse])}


def stored_by(op):
    """What an operator stores: the slot, and whether it is defined only to within rounding."""
    free = op.kind in FREE_KINDS or (op.kind == "resize" and op.attrs["mode"] == "bilinear")
    free = free or (op.sparse is not None and op.kind != "dequantize")
    for step in op.steps:
        if isinstance(step, Function):
            free = free or step.do in FREE_STEPS
        elif not isinstance(step, Combine):
            yield step.slot, free


class Recorder:
    """A session that keeps a copy of what every operator stores.

    truth: by slot, what operators and range updates read in place of what is there. seen: by slot, what was
    stored. free: the slots whose values are defined only to within rounding.
    """

    def __init__(self, plan, session):
        self.plan, self.session = plan, session
        self.truth, self.seen, self.free = {}, {}, set()

    def __getattr__(self, name):
        return getattr(self.session, name)

    def run(self, program, input, measure=None):
        ops, updates = self.plan.programs[program].ops, self.plan.programs[program].updates
        joined, first = self.session.joined(program), 0
        while first < len(ops):
            self._tell({update.slot for update in updates if update.before_op == first} | read_by(ops[first]))
            # A pool that is computed row by row behind its convolution: what lies between is stored nowhere.
            end = first + 2 if first in joined else first + 1
            self.session.run(program, input, measure, first, end)
            for index, free in stored_by(ops[end - 1]):
                self.seen[index] = np.array(self.session.slot(index))
                if free:
                    self.free.add(index)
            first = end
        self._tell({update.slot for update in updates if update.before_op == first})
        self.session.run(program, input, measure, first, first)  # the updates behind the last

    def _tell(self, slots):
        for index in slots - {0}:
            if index in self.truth:
                self.session.slot(index)[:] = self.truth[index]


@dataclass
class Difference:
    """What differed. largest: in steps of a code, or by the size of the tensor's largest value."""

    kind: str
    name: str
    count: int
    largest: float


class Agreement:
    """Runs frames through both.

    session: made of the plan; default the interpreter's.
    compared: how many codes and float32 values, by "codes" and "values". differences: where they may be.
    """

    def __init__(self, quantized, session=Interpreter, forced=False):
        self.quantized, self.plan, self.forced = quantized, lower(quantized), forced
        self.recorder = Recorder(self.plan, session(self.plan))
        self.stream, self.simulation = Stream(self.plan, self.recorder), quantized.stream()
        self.body = split(quantized.network)
        self.compared, self.differences, self.frame = Counter(), [], -1

    def run(self, frame):
        """One frame through both. Fails at the first difference that no rounding explains."""
        self.frame += 1
        codes, values, state = {}, {}, self.simulation._state

        def probe(point, x, source, seen):
            grid = source.grid(x, seen)
            if grid is not None:
                codes[str(point)] = (quantize(x, grid) + (128 if grid.low < 0 else 0)).to(torch.uint8)

        def observe(node, y):
            values.setdefault(self.body.value(node.name), y.detach().clone())

        outputs = self.simulation.run(frame, observe, probe)
        computed = self._by_slot(codes, values)
        if self.forced:
            kept = {f"{point} reference": x for point, x in state.reference.items()}
            kept |= {f"{layer} output": y for layer, y in state.output.items()}
            self.recorder.truth = computed | ({} if self.simulation.is_key else self._by_slot({}, kept))
        self.recorder.seen, self.recorder.free = {}, set()
        got = self.stream.run(frame)
        assert self.stream.is_key == self.simulation.is_key
        for index, array in self.recorder.seen.items():
            if index in computed:
                self._compare(
                    self.plan.slots[index].name, array, computed[index], index in self.recorder.free
                )
        if not self.forced:
            for name, y in outputs.items():
                self._compare(f"output {name}", got[name].numpy(), y.numpy(), False)

    def check(self, share=1e-4, error=1e-6):
        """What may differ does so by a step of a code, in less than this share of them, or by rounding."""
        codes = [difference for difference in self.differences if difference.kind == "codes"]
        values = [difference for difference in self.differences if difference.kind == "values"]
        assert all(difference.largest == 1 for difference in codes), codes
        assert sum(difference.count for difference in codes) <= share * self.compared["codes"]
        assert all(difference.largest < error for difference in values), values

    def _by_slot(self, codes, values):
        """What is known of slots, by index."""
        found = {}
        for index, slot in enumerate(self.plan.slots):
            known = codes if slot.type == "u8" else values
            sampled = slot.name.removesuffix(" sample")
            if slot.name in known:
                found[index] = as_pixels(known[slot.name], (slot.h, slot.w, slot.c))
            elif slot.type == "f32" and sampled in values:
                channels, height, width = values[sampled].shape[1:]
                pixels = as_pixels(values[sampled], (height, width, channels))
                rows, columns, _ = sample_steps(values[sampled].shape)
                found[index] = np.ascontiguousarray(pixels[::rows, ::columns])
        return found

    def _compare(self, name, got, wanted, free):
        assert got.shape == wanted.shape
        kind = "codes" if got.dtype == np.uint8 else "values"
        self.compared[kind] += wanted.size
        difference = np.abs(got.astype(np.float64) - wanted)
        if difference.any():
            size = 1 if kind == "codes" else max(np.abs(wanted).max(), 1e-30)
            found = Difference(kind, name, np.count_nonzero(difference), float(difference.max() / size))
            assert free, f"frame {self.frame}: {found}"
            self.differences.append(found)


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


def as_pixels(y, size):
    """A value of the network as its slot has it: h×w×c. What a layer reads may be that, flattened."""
    height, width, channels = size
    pixels = y.detach().reshape(channels, height, width).permute(1, 2, 0)
    return np.ascontiguousarray(pixels.numpy())


def is_early(program):
    """Whether a program's ranges are predicted from a sample, before the value is computed."""
    return any(
        isinstance(update, PredictedRanges) and op.name.endswith(" sample")
        for update in program.updates
        for op in program.ops[update.before_op - 1 : update.before_op]
    )
