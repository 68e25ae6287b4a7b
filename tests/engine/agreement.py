"""How far a plan is from the simulation it was lowered from, operator by operator.

A deep quantized network amplifies a single code that is rounded the other way, so whole networks are compared
with every operator reading what the simulation computed: then a code that differs is this operator's doing.

Most operators compute the same in both, rounding for rounding: layers sum whole numbers, and what follows
them is one operation at a time. Those have no tolerance. The others add floating-point numbers in an order of
their own (`ROUNDED`, and layers that add the sparse part of Dense + Sparse), or call a library's functions.
"""

from dataclasses import dataclass

import numpy as np
import torch

from tests.engine.plan_interpreter import Interpreter
from videoquant.engine.body import split
from videoquant.engine.lower import lower
from videoquant.quantizers.on_grid import codes as quantize

ROUNDED = {"fconv", "fconv_transpose", "avg_pool", "global_pool", "adaptive_avg_pool", "resize", "softmax"}
ONE_OPERATION = {"clamp", "leaky_relu", "prelu", "add", "sub", "rsub", "mul", "div", "rdiv"}


def rounds_alike(op):
    """Whether an operator computes what the simulation does to the last bit."""
    if op["kind"] in ROUNDED or ("sparse" in op and op["kind"] != "dequantize"):
        return False
    return all(step["do"] in ONE_OPERATION or step["do"].startswith("store") for step in op["steps"])


@dataclass
class Agreement:
    """codes: how many were compared; differing: how many were not equal; largest: by how many steps.

    error: the largest difference of a float32 value that operators stored, by the size of its tensor's
    largest value.
    """

    codes: int = 0
    differing: int = 0
    largest: int = 0
    error: float = 0.0

    @property
    def share(self):
        return self.differing / max(self.codes, 1)

    @property
    def is_exact(self):
        return self.differing == 0 and self.error == 0

    def add(self, got, wanted):
        if wanted.dtype == np.uint8:
            difference = np.abs(got.astype(int) - wanted)
            self.codes += difference.size
            self.differing += int((difference > 0).sum())
            self.largest = max(self.largest, int(difference.max()))
        else:
            error = np.abs(got - wanted).max() / max(np.abs(wanted).max(), 1e-30)
            self.error = max(self.error, float(error))

    def check_outputs(self, wanted, got, flipped):
        """That outputs of whole networks, which ran freely, are as close as their operators are.

        flipped: the relative square error that codes which were rounded the other way may make.
        """
        limit = flipped if self.differing else 1e-9
        for name, y in wanted.items():
            if self.is_exact:
                assert torch.equal(y, got[name])
            else:
                assert float((y - got[name]).square().mean()) < limit * float(y.square().mean())


class Forced:
    """Runs frames through a simulation and, operator by operator, through the plan.

    found: of all operators; alike: of those that `rounds_alike`.
    """

    def __init__(self, quantized, session=Interpreter):
        self.quantized, self.plan = quantized, lower(quantized)
        self.simulation, self.session = quantized.stream(), session(without_updates(self.plan.spec))
        self.body = split(quantized.network)
        self.found, self.alike = Agreement(), Agreement()

    def run(self, frame):
        """One frame; what is found adds up in `found` and `alike`."""
        values, codes, points = {}, {}, {}
        before = self.simulation._state

        def probe(point, x, source, seen):
            grid = source.grid(x, seen)
            if grid is not None:
                codes[str(point)] = (quantize(x, grid) + (128 if grid.low < 0 else 0)).to(torch.uint8)
                points[str(point)] = grid

        x = self.quantized.network.prepare(frame)
        self.simulation.run(frame, lambda node, y: values.setdefault(node.name, y.detach().clone()), probe)
        values[self.quantized.network.input] = x
        floats = {self.body.value(name): y for name, y in values.items()}
        program = "key" if self.simulation.is_key else "residual"
        self._state(before, program)
        self._grids(points, program)
        slots = self.plan.spec["slots"]
        truth = {}
        for index, slot in enumerate(slots):
            known = codes if slot["type"] == "u8" else floats
            if slot["name"] in known and not slot["keep"]:
                truth[index] = as_pixels(known[slot["name"]], slot)
        pixels = as_pixels(x, slots[0])
        self.session.run(program, pixels, None, 0, 0)
        for i, op in enumerate(self.plan.spec["programs"][program]["ops"]):
            for index in read_by(op):
                if index in truth and index != 0:
                    self.session.write(index, truth[index])
            self.session.run(program, pixels, None, i, i + 1)
            for index in written_by(op):
                if index in truth:
                    self.found.add(self.session.slot(index), truth[index])
                    if rounds_alike(op):
                        self.alike.add(self.session.slot(index), truth[index])

    def _state(self, state, program):
        """What the plan keeps from frame to frame becomes the simulation's."""
        known = {f"{point} reference": x for point, x in state.reference.items()}
        known |= {f"{layer} output": y for layer, y in state.output.items()}
        for index, slot in enumerate(self.plan.spec["slots"]):
            if program == "residual" and slot["keep"]:
                self.session.write(index, as_pixels(known[slot["name"]], slot))

    def _grids(self, points, program):
        """Every grid is what the simulation's was in this frame."""
        for index, entry in enumerate(self.plan.spec["grids"]):
            grid = points.get(entry["name"].removesuffix(f" {program}"))
            if grid is not None and entry["name"].endswith(f" {program}"):
                shift = 128 if grid.low < 0 else 0
                self.session.set_grid(
                    index, grid.scale, grid.zero_point + shift, grid.low + shift, grid.high + shift
                )


def without_updates(spec):
    """The spec of a plan whose grids stay as they are set from outside."""
    programs = {name: {**program, "updates": []} for name, program in spec["programs"].items()}
    return {**spec, "programs": programs}


def read_by(op):
    return set(op["inputs"]) | {
        step[key] for step in op["steps"] for key in ("slot", "reference") if reads(step, key)
    }


def reads(step, key):
    return key in step and not (step["do"].startswith("store") and key == "slot")


def written_by(op):
    return {step["slot"] for step in op["steps"] if step["do"].startswith("store")}


def as_pixels(y, slot):
    """A value of the network as its slot has it: h×w×c."""
    array = y.detach().reshape(slot["c"], slot["h"], slot["w"]).permute(1, 2, 0).numpy()
    return np.ascontiguousarray(array)
