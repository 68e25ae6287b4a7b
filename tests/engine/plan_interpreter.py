"""The twin of the native engine: runs a plan step by step in plain NumPy and PyTorch (docs/plan.md).

It has the session's interface, so that a `Stream` runs on it; and no speed. What each operator and step
computes stands in `tests/operators`.
"""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np

from tests.operators import MEANINGS
from tests.operators.elementwise import activation, binary
from tests.operators.layout import nchw
from videoquant.errors import NetworkError
from videoquant.ranges.features import features
from videoquant.ranges.grid import Grid
from videoquant.regions.region import Region
from videoquant.runtime.flow import states_of
from videoquant.runtime.plan_spec import read_program
from videoquant.runtime.program import (
    CodeGrid,
    Combine,
    MeasuredRange,
    Slot,
    Store,
    StoreCodes,
    StoreResidual,
    StoreValues,
)
from videoquant.runtime.ranges import unsigned
from videoquant.typed_json import read


class Interpreter:
    """A session: slots hold arrays h×w×c; `run` writes them."""

    def __init__(self, plan):
        self.plan = plan
        self.grids = [asdict(grid) for grid in plan.grids]
        self.slots = [
            np.zeros((s.h, s.w, s.c), np.uint8 if s.type == "u8" else np.float32)
            for s in plan.slots  # a sparse part with its zeros
        ]
        # What no operator of this frame has written yet may not be read: its memory may be another slot's.
        self.written = set()
        self.region, self.grow, self.mask = None, 0, None
        self.remembered = {}
        self.work = (0, 0)
        self.memory_bytes = sum(slot.nbytes for slot in self.slots)

    @classmethod
    def of(cls, spec):
        """That of a plan's plain form (`Plan.spec`)."""
        parts = {"slots": list[Slot], "grids": list[CodeGrid]}
        plan = {name: read(kind, spec[name], name, NetworkError) for name, kind in parts.items()}
        programs = {name: read_program(program, name) for name, program in spec["programs"].items()}
        return cls(SimpleNamespace(**plan, programs=programs))

    def slot(self, index):
        return self.slots[index]

    def finite(self, input):
        return bool(np.isfinite(input).all())

    def joined(self, program):
        """Every operator runs on its own here."""
        return []

    def refresh(self):
        """Every frame is computed in full here."""

    def forget(self):
        """What is kept becomes 0, and states may be read."""
        for index in states_of(self.plan):
            self.slots[index][:] = 0
            self.written.add(index)

    def look(self, blocks, block, grow, whole, moving):
        """What the next frame computes anew: all is computed, and that is stored."""
        self.region = Region(blocks.astype(bool), whole, moving, self.slots[0].shape[:2], block)
        self.grow = grow

    def take_picture(self, picture, gain, offset):
        self._take(picture.astype(np.float32) * np.float32(gain) + np.float32(offset))

    def _take(self, input):
        whole = self.region is None or self.region.whole
        mask = True if whole else self.region.mask(*input.shape[:2], self.grow)[:, :, None]
        self.slots[0][:] = np.where(mask, input, self.slots[0])

    def _masked(self, op):
        """The pixels that an operator stores; None for all."""
        if self.region is None or self.region.whole:
            return None
        if op.placeless or op.h * op.w == 1:
            return np.array(self.region.blocks.any())
        return self.region.mask(op.h, op.w, self.grow)[:, :, None]

    def run(self, program, input, measure=None, first=0, last=-1):
        ops, updates = self.plan.programs[program].ops, self.plan.programs[program].updates
        if first == 0:
            held = self.region is not None
            kept = {i for i, slot in enumerate(self.plan.slots) if slot.keep or held}
            self.written = {0} | (self.written & kept)
            assert input.dtype == np.float32 and input.flags.c_contiguous
            assert input.shape == self.slots[0].shape
            self._take(input)
        last = len(ops) if last < 0 else last
        for i in range(first, last):
            self._update(program, i, updates, measure)
            self._run(ops[i])
        if last == len(ops):
            self._update(program, last, updates, measure)

    def _update(self, program, place, updates, measure):
        """The range updates before an operator."""
        for number, update in enumerate(updates):
            if update.before_op != place:
                continue
            value = self.read(update.slot)
            if isinstance(update, MeasuredRange):
                self._set_grid(update.grid, *measure(number, value))
                continue
            if update.grids:
                x = value if program == "key" else np.abs(value - self.remembered[update.value])
                found = sampled_features(x, update)
                for prediction in update.grids:
                    self._set_grid(prediction.grid, *predicted(prediction, found))
            if update.remember:
                self.remembered[update.value] = value.copy()

    def _set_grid(self, index, scale, zero, low, high):
        self.grids[index] |= {"scale": scale, "zero": zero, "low": low, "high": high}

    def _run(self, op):
        self.mask = self._masked(op)
        x = self._operator(op)
        assert x.shape == (op.h, op.w, op.c), op.name
        assert x.dtype == np.float32, op.name
        for step in op.steps:
            x = self._step(step, x)
            assert x.dtype == np.float32, step

    def read(self, index):
        assert index in self.written, f"slot {self.plan.slots[index].name} is read before it is written"
        return self.slots[index]

    def write(self, index, x, zero=0):
        """zero: what stands for 0 there."""
        assert index != 0
        assert x.shape == self.slots[index].shape
        if self.mask is not None:
            x = np.where(self.mask, x, zero if self.plan.slots[index].residual else self.slots[index])
        self.slots[index][:] = x
        self.written.add(index)

    def _operator(self, op):
        known = {}
        if op.grid is not None:
            known["grid"] = self.grids[op.grid]
        if op.sparse is not None:
            known["sparse"] = self.read(op.sparse)
        return MEANINGS[op.kind](op, *(self.read(i) for i in op.inputs), **known)

    def _step(self, step, x):
        match step:
            case Combine(do, None, value):
                return binary(do, x, np.float32(value))
            case Combine(do, slot):
                operand = self.read(slot)
                assert operand.shape[:2] in ((1, 1), x.shape[:2]) and operand.shape[2] in (1, x.shape[2])
                return binary(do, x, operand)
            case Store(slot):
                self.write(slot, x)
                return x
            case StoreCodes(slot, grid, sparse):
                self.write(slot, self._codes(grid, x))
                if sparse is not None:
                    self.write(sparse, self._sparse(grid, x))
                return x
            case StoreValues(slot, grid, with_sparse):
                values = self._values(grid, self._codes(grid, x))
                self.write(slot, values + self._sparse(grid, x) if with_sparse else values)
                return x
            case StoreResidual(slot, grid, reference, update, sparse):
                before = self.read(reference)
                codes = self._codes(grid, x - before)
                self.write(slot, codes, self.grids[grid]["zero"])
                change = self._values(grid, codes)
                if sparse is not None:
                    self.write(sparse, self._sparse(grid, x - before))
                    change = change + self.slots[sparse]
                if update:
                    self.write(reference, before + change)
                return x
        return activation(step, x)

    def _codes(self, index, x):
        grid = self.grids[index]
        assert 0 <= grid["low"] < grid["high"] <= 255
        steps = np.rint(x * (np.float32(1) / np.float32(grid["scale"])))
        return np.clip(steps, grid["low"] - grid["zero"], grid["high"] - grid["zero"]) + grid["zero"]

    def _sparse(self, index, x):
        grid = self.grids[index]
        first = np.float32((grid["low"] - grid["zero"] - 0.5) * grid["scale"])
        last = np.float32((grid["high"] - grid["zero"] + 0.5) * grid["scale"])
        outside = (x > last) | (x < max(first, -last))
        difference = (x - self._values(index, self._codes(index, x))).clip(-65504, 65504)
        return np.where(outside, difference.astype(np.float16).astype(np.float32), np.float32(0))

    def _values(self, index, codes):
        grid = self.grids[index]
        return (codes.astype(np.float32) - np.float32(grid["zero"])) * np.float32(grid["scale"])


def sampled_features(x, update):
    """The features that predictions read, of a value h×w×c."""
    rows, columns, each = update.steps
    sample = x[::rows, ::columns] if each == 1 else x.reshape(1, 1, -1)[:, :, ::each]
    return features(nchw(sample).numpy(), update.features, sample.size).tolist()


def predicted(prediction, found):
    """The grid of a prediction, as `ranges/predictor.py` and `ranges/grid.py` have it."""
    low, high = (
        min(max(intercept + sum_in_order(slopes, found), least), most)
        for slopes, intercept, least, most in (prediction.low, prediction.high)
    )
    if prediction.dense:
        return unsigned(Grid.dense(low, high, prediction.bits, prediction.symmetric))
    if prediction.symmetric:
        return unsigned(Grid.symmetric(high, prediction.bits))
    return unsigned(Grid.affine(low, high, prediction.bits))


def sum_in_order(slopes, values):
    total = 0.0
    for slope, value in zip(slopes, values, strict=True):
        total += slope * value
    return total
