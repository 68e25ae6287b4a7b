"""A plan and the simulation it was lowered from, compared value by value, for equality.

Each runs on its own, or (`forced`) every operator of the plan reads what the simulation computed, so that
what differs is that operator's doing.
"""

from collections import Counter

import numpy as np
import torch

from tests.engine.agreement import as_pixels, read_by
from tests.engine.plan_interpreter import Interpreter
from videoquant.engine.body import split
from videoquant.engine.lower import lower
from videoquant.quantizers.on_grid import codes as quantize
from videoquant.runtime.stream import Stream

# What adds in an order, or approximates by a formula, of its own: the engine's are not PyTorch's.
FREE_KINDS = {"avg_pool", "global_pool", "adaptive_avg_pool", "softmax", "fconv", "fconv_transpose"}
FREE_STEPS = {"sigmoid", "silu", "gelu", "elu", "tanh", "erf"}


def stores(op):
    """What an operator stores: the slot, and whether it is defined only to within rounding."""
    free = op["kind"] in FREE_KINDS or (op["kind"] == "resize" and op["attrs"]["mode"] == "bilinear")
    for step in op["steps"]:
        free = free or step["do"] in FREE_STEPS
        if step["do"].startswith("store"):
            yield step["slot"], free


class Recorder:
    """A session that keeps a copy of what every operator stores.

    truth: by slot, what operators read in place of what is there. seen: by slot, what was stored. free: the
    slots whose values are defined only to within rounding.
    """

    def __init__(self, spec, session):
        self.spec, self.session = spec, session
        self.truth, self.seen, self.free = {}, {}, set()

    def __getattr__(self, name):
        return getattr(self.session, name)

    def run(self, program, input, measure=None, first=0, last=-1):
        ops, joined = self.spec["programs"][program]["ops"], self.session.joined(program)
        last = len(ops) if last < 0 else last
        while first < last:
            for index in read_by(ops[first]) - {0}:
                if index in self.truth:
                    self.session.slot(index)[:] = self.truth[index]
            # A pool that is computed row by row behind its convolution: what lies between is stored nowhere.
            end = first + 2 if first in joined else first + 1
            assert end <= last, (
                f"the stream stops between {ops[first]['name']} and the pool it runs together with"
            )
            self.session.run(program, input, measure, first, end)
            for index, free in stores(ops[end - 1]):
                self.seen[index] = np.array(self.session.slot(index))
                if free:
                    self.free.add(index)
            first = end


class Lockstep:
    """Runs frames through both.

    make: of a plan's session; default the interpreter's.
    compared: how many codes and float32 values, by "codes" and "values". errors: what differed, in order;
    free_errors: where that is allowed. Each is "codes" or "values", the name, how many differed, the largest
    difference: in steps, or by the size of the tensor's largest value.
    """

    def __init__(self, quantized, make=lambda plan: Interpreter(plan.spec), forced=False):
        self.quantized, self.plan, self.forced = quantized, lower(quantized), forced
        self.recorder = Recorder(self.plan.spec, make(self.plan))
        self.engine, self.simulation = Stream(self.plan, self.recorder), quantized.stream()
        self.body = split(quantized.network)
        self.compared, self.errors, self.free_errors = Counter(), [], []

    def run(self, frame):
        """One frame through both."""
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
        self.recorder.seen = {}
        got = self.engine.run(frame)
        for index, array in self.recorder.seen.items():
            if index in computed:
                free = index in self.recorder.free
                self._compare(self.plan.spec["slots"][index]["name"], array, computed[index], free)
        if not self.forced:
            for name, y in outputs.items():
                self._compare(f"output {name}", got[name].numpy(), y.numpy(), False)

    def _by_slot(self, codes, values):
        """What is known of slots, by index."""
        found = {}
        for index, slot in enumerate(self.plan.spec["slots"]):
            known = codes if slot["type"] == "u8" else values
            if slot["name"] in known:
                found[index] = as_pixels(known[slot["name"]], slot)
        return found

    def _compare(self, name, got, wanted, free):
        assert got.shape == wanted.shape
        kind = "codes" if got.dtype == np.uint8 else "values"
        self.compared[kind] += wanted.size
        difference = np.abs(got.astype(np.float64) - wanted)
        if difference.any():
            size = 1 if kind == "codes" else np.abs(wanted).max()
            errors = self.free_errors if free else self.errors
            errors.append((kind, name, np.count_nonzero(difference), float(difference.max() / size)))
