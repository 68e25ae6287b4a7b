"""The twin of the native engine: runs a plan step by step in plain NumPy and PyTorch (docs/plan.md).

It has the session's interface, so that a `Stream` runs on it; and no speed. Long because it is a whole
engine.
"""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F

from videoquant.errors import NetworkError
from videoquant.ranges.features import features
from videoquant.ranges.grid import Grid
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


def nchw(x):
    return torch.from_numpy(np.ascontiguousarray(x)).permute(2, 0, 1)[None]


def nhwc(x):
    return np.ascontiguousarray(x[0].permute(1, 2, 0).numpy())


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

    def run(self, program, input, measure=None, first=0, last=-1):
        ops, updates = self.plan.programs[program].ops, self.plan.programs[program].updates
        if first == 0:
            kept = {i for i, slot in enumerate(self.plan.slots) if slot.keep}
            self.written = {0} | (self.written & kept)
            assert input.dtype == np.float32 and input.flags.c_contiguous
            assert input.shape == self.slots[0].shape
            self.slots[0][:] = input
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
        x = self._operator(op)
        assert x.shape == (op.h, op.w, op.c), op.name
        assert x.dtype == np.float32, op.name
        for step in op.steps:
            x = self._step(step, x)
            assert x.dtype == np.float32, step

    def read(self, index):
        assert index in self.written, f"slot {self.plan.slots[index].name} is read before it is written"
        return self.slots[index]

    def write(self, index, x):
        assert index != 0
        assert x.shape == self.slots[index].shape
        self.slots[index][:] = x
        self.written.add(index)

    def _operator(self, op):
        inputs = [self.read(i) for i in op.inputs]
        attrs, tensors = op.attrs, op.tensors
        match op.kind:
            case "conv" | "conv_transpose":
                return self._convolution(op, inputs[0], self.grids[op.grid])
            case "fconv" | "fconv_transpose":
                x, weight = nchw(inputs[0]), torch.from_numpy(tensors["weight"])
                return nhwc(convolve(op, x, weight)) + tensors["bias"]
            case "map":
                return inputs[0].copy()
            case "dequantize":
                grid = self.grids[op.grid]
                x = (inputs[0].astype(np.float32) - np.float32(grid["zero"])) * np.float32(grid["scale"])
                return x + self.read(op.sparse) if op.sparse is not None else x
            case "sparse":
                return inputs[0]
            case "constant":
                return tensors["value"].copy()
            case "max_pool" | "avg_pool":
                return pool(op, inputs[0])
            case "global_pool":
                return inputs[0].mean((0, 1), keepdims=True, dtype=np.float64).astype(np.float32)
            case "global_max":
                return inputs[0].max((0, 1), keepdims=True)
            case "adaptive_avg_pool":
                return nhwc(F.adaptive_avg_pool2d(nchw(inputs[0]), tuple(attrs["size"])))
            case "resize":
                return resize(op, inputs[0])
            case "pixel_shuffle":
                return pixel_shuffle(inputs[0], attrs["factor"], attrs["order"])
            case "concat":
                return np.concatenate(inputs, 2)
            case "slice":
                ends = {1: op.h, 2: op.w, 3: op.c}
                dim, start, step = attrs["dim"], attrs["start"], attrs["step"]
                return inputs[0].take(start + step * np.arange(ends[dim]), dim - 1)
            case "pad":
                sides = [(attrs["t"], attrs["b"]), (attrs["l"], attrs["r"]), (attrs["front"], attrs["back"])]
                return pad(inputs[0], sides, attrs["mode"], attrs["value"])
            case "softmax":
                return torch.softmax(torch.from_numpy(inputs[0]), 2).numpy()
        raise AssertionError(f"unknown kind {op.kind}")

    def _convolution(self, op, codes, grid):
        x = nchw(codes.astype(np.float64) - grid["zero"])
        weight = torch.from_numpy(op.tensors["weight"]).double() - op.attrs["weight_zero"]
        sums = nhwc(convolve(op, x, weight))  # whole numbers: float64 holds them exactly
        assert np.array_equal(sums, np.rint(sums)) and np.abs(sums).max() < 2**31
        scale = np.float32(grid["scale"]) * op.tensors["scale"]
        y = sums.astype(np.float32) * scale + op.tensors["bias"]
        if op.sparse is not None:
            weight = weight.float() * torch.from_numpy(op.tensors["scale"])[:, None, None, None]
            y = y + nhwc(convolve(op, nchw(self.read(op.sparse)), weight))
        return y

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
                self.write(slot, codes)
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


def binary(do, x, operand):
    match do:
        case "add":
            return x + operand
        case "sub":
            return x - operand
        case "rsub":
            return operand - x
        case "mul":
            return x * operand
        case "div":
            return x / operand
        case "rdiv":
            return operand / x


def activation(step, x):
    attrs = step.attrs
    match step.do:
        case "clamp":
            return np.clip(x, np.float32(attrs["lo"]), np.float32(attrs["hi"]))
        case "affine":
            return x * attrs["weight"] + attrs["bias"]
        case "prelu":
            return np.where(x < 0, x * attrs["slope"], x)
    return of_pytorch(step.do, attrs, torch.from_numpy(x)).numpy()


def of_pytorch(do, attrs, x):
    match do:
        case "leaky_relu":
            return F.leaky_relu(x, attrs["slope"])
        case "hardswish":
            return F.hardswish(x)
        case "hardsigmoid":
            return (x * attrs["alpha"] + attrs["beta"]).clamp(0, 1)
        case "sigmoid":
            return torch.sigmoid(x)
        case "silu":
            return F.silu(x)
        case "gelu":
            return F.gelu(x, approximate=attrs["approximate"])
        case "elu":
            return F.elu(x, attrs["alpha"])
        case "tanh":
            return torch.tanh(x)
        case "erf":
            return torch.erf(x)
    raise AssertionError(f"unknown step {do}")


def sampled_features(x, update):
    """The features that predictions read, of a value h×w×c."""
    rows, columns, each = update.steps
    sample = x[::rows, ::columns] if each == 1 else x.reshape(1, 1, -1)[:, :, ::each]
    return features(nchw(sample).numpy(), update.features).tolist()


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


def convolve(op, x, weight):
    """The sums of a convolution, without bias. weight: C_out × C_in/groups × k_h × k_w."""
    attrs = op.attrs
    assert list(weight.shape[2:]) == list(attrs["kernel"]) and weight.shape[0] == op.c
    groups, stride, dilation = attrs["groups"], attrs["stride"], attrs["dilation"]
    top, left, bottom, right = attrs["padding"]
    if not op.kind.endswith("transpose"):
        return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, None, stride, 0, dilation, groups)
    # PyTorch wants C_in × C_out/groups.
    each = weight.view(groups, -1, *weight.shape[1:]).transpose(1, 2)
    weight = each.reshape(-1, *each.shape[2:])
    y = F.conv_transpose2d(x, weight, None, stride, 0, attrs["output_padding"], groups, dilation)
    return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]


def pool(op, x):
    """The maximum or the average of a window, tap by tap."""
    attrs, average = op.attrs, op.kind == "avg_pool"
    height, width, _ = x.shape
    top, left, bottom, right = attrs["padding"]
    dilation = attrs.get("dilation", [1, 1])
    total = np.full((op.h, op.w, op.c), 0 if average else -np.inf, np.float64)
    count = np.zeros((op.h, op.w, 1))
    for i in range(attrs["kernel"][0]):
        for j in range(attrs["kernel"][1]):
            rows = np.arange(op.h) * attrs["stride"][0] - top + i * dilation[0]
            columns = np.arange(op.w) * attrs["stride"][1] - left + j * dilation[1]
            inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
            tap = x[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
            if average:
                total += np.where(inside[..., None], tap, 0)
                padded = (rows < height + bottom)[:, None] & (columns < width + right)
                count += (padded if attrs["count_padding"] else inside)[..., None]
            else:
                total = np.where(inside[..., None], np.maximum(total, tap), total)
    return (total / count if average else total).astype(np.float32)


def resize(op, x):
    attrs = op.attrs
    rows = source_places(op.h, x.shape[0], attrs["scale_h"], attrs)
    columns = source_places(op.w, x.shape[1], attrs["scale_w"], attrs)
    if attrs["mode"] == "nearest":
        return x[rows][:, columns]
    (top, bottom, down), (left, right, across) = rows, columns
    down, across = down[:, None, None], across[None, :, None]
    above = x[top][:, left] * (1 - across) + x[top][:, right] * across
    below = x[bottom][:, left] * (1 - across) + x[bottom][:, right] * across
    return above * (1 - down) + below * down


def source_places(count, size, scale, attrs):
    """Where the pixels of one axis come from: an index each, or two and the share of the second."""
    scale, i = np.float32(scale), np.arange(count, dtype=np.float32)
    if attrs["mode"] == "nearest":
        return np.minimum(np.floor(i * scale).astype(int), size - 1)
    half = np.float32(0.5)
    place = i * scale if attrs["align_corners"] else np.maximum(scale * (i + half) - half, np.float32(0))
    first = np.minimum(place.astype(int), size - 1)
    return first, np.minimum(first + 1, size - 1), (place - first.astype(np.float32)).clip(0, 1)


def pixel_shuffle(x, factor, order):
    height, width, channels = x.shape
    each = channels // factor**2
    if order == "CRD":
        x = x.reshape(height, width, each, factor, factor).transpose(0, 3, 1, 4, 2)
    else:
        x = x.reshape(height, width, factor, factor, each).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(x.reshape(height * factor, width * factor, each))


def pad(x, sides, mode, value):
    names = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
    for axis, (before, after) in enumerate(sides):  # negative amounts cut
        x = x.take(range(max(0, -before), x.shape[axis] - max(0, -after)), axis)
    amounts = [(max(0, before), max(0, after)) for before, after in sides]
    fill = {"constant_values": value} if mode == "constant" else {}
    return np.pad(x, amounts, names[mode], **fill)
