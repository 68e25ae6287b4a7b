"""A plan and the simulation it was lowered from, compared value by value, for equality.

Each runs on its own, or (`forced`) every operator of the plan reads what the simulation computed, so that
what differs is that operator's doing.
"""

from collections import Counter

import numpy as np

from tests.engine.agreement import as_pixels, fits, read_by
from tests.engine.plan_interpreter import Interpreter
from videoquant.engine.body import split
from videoquant.engine.lower import lower
from videoquant.engine.stream import Stream

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

    truth: by the slot's name, what operators read in place of what is there. seen: by the slot's name, what
    was stored. free: the names of those that are defined only to within rounding.
    """

    def __init__(self, spec, session):
        self.spec, self.session = spec, session
        self.names = [slot["name"] for slot in spec["slots"]]
        self.truth, self.seen, self.free = {}, {}, set()
        self.set_grid, self.slot = session.set_grid, session.slot

    def run(self, program, input, first=0, last=-1):
        ops = self.spec["programs"][program]
        self.session.run(program, input, first, first)
        for i in range(first, len(ops) if last < 0 else last):
            for index in read_by(ops[i]) - {0}:
                if self.names[index] in self.truth:
                    self.session.slot(index)[:] = self.truth[self.names[index]]
            self.session.run(program, input, i, i + 1)
            for index, free in stores(ops[i]):
                self.seen[self.names[index]] = np.array(self.session.slot(index))
                if free:
                    self.free.add(self.names[index])


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
                codes[str(point)] = as_pixels(grid.codes(x)) + (128 if grid.low < 0 else 0)

        def observe(node, y):
            if fits(y):
                values.setdefault(self.body.value(node.name), as_pixels(y).copy())

        outputs = self.simulation.run(frame, observe, probe)
        if self.forced:
            kept = {f"{point} reference": as_pixels(x) for point, x in state.reference.items()}
            kept |= {f"{layer} output": as_pixels(y) for layer, y in state.output.items()}
            self.recorder.truth = codes | values | ({} if self.simulation.is_key else kept)
        self.recorder.seen = {}
        got = self.engine.run(frame)
        for name, array in self.recorder.seen.items():
            wanted = (codes if array.dtype == np.uint8 else values).get(name)
            if wanted is not None:
                self._compare(name, array, wanted)
        if not self.forced:
            for name, y in outputs.items():
                self._compare(f"output {name}", got[name].numpy(), y.numpy())

    def _compare(self, name, got, wanted):
        assert got.shape == wanted.shape
        kind = "codes" if got.dtype == np.uint8 else "values"
        self.compared[kind] += wanted.size
        difference = np.abs(got.astype(np.float64) - wanted)
        if difference.any():
            size = 1 if kind == "codes" else np.abs(wanted).max()
            errors = self.free_errors if name in self.recorder.free else self.errors
            errors.append((kind, name, np.count_nonzero(difference), float(difference.max() / size)))
