"""Hypothesis strategies for plans (docs/plan.md): of one operator and what feeds it, or of a few in a row.

Long because every kind of operator is drawn here, and each in all its forms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

Spec = dict[str, Any]

KINDS = (
    *("conv", "depthwise", "conv_transpose", "fconv", "fconv_transpose", "map", "dequantize", "max_pool"),
    *("avg_pool", "global_pool", "global_max", "adaptive_avg_pool", "resize", "pixel_shuffle", "concat"),
    *("slice", "pad", "softmax"),
)
STEPS = (
    *("clamp", "leaky_relu", "prelu", "hardswish", "hardsigmoid", "sigmoid", "silu", "gelu", "elu", "tanh"),
    *("erf", "affine", "add", "sub", "rsub", "mul", "div", "rdiv"),
)
# Few, and about the lengths of the vectors of every instruction set.
channel_counts = st.one_of(
    st.integers(1, 9), st.sampled_from([15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 80, 130])
)


@dataclass
class Draft:
    """A spec in the making.

    source: the slot that the next operator reads. keep: of its slots; a test can look at those that are kept.
    """

    rng: np.random.Generator
    source: int = 0
    keep: bool = True
    slots: list[dict[str, Any]] = field(default_factory=list)
    grids: list[dict[str, Any]] = field(default_factory=list)
    ops: list[dict[str, Any]] = field(default_factory=list)

    def slot(self, h: int, w: int, c: int, type: str = "f32") -> int:
        index = len(self.slots)
        self.slots.append({"h": h, "w": w, "c": c, "type": type, "keep": self.keep, "name": f"slot {index}"})
        return index

    def size(self, slot: int) -> tuple[int, int, int]:
        return self.slots[slot]["h"], self.slots[slot]["w"], self.slots[slot]["c"]

    def op(
        self,
        kind: str,
        inputs: list[int],
        size: tuple[int, int, int],
        attrs: dict[str, Any] | None = None,
        tensors: dict[str, np.ndarray] | None = None,
        grid: int | None = None,
    ) -> dict[str, Any]:
        op = {"kind": kind, "name": kind, "inputs": inputs, "attrs": attrs or {}, "tensors": tensors or {}}
        op |= {"h": size[0], "w": size[1], "c": size[2], "steps": []} | (
            {} if grid is None else {"grid": grid}
        )
        self.ops.append(op)
        return op

    def stored(self, op: dict[str, Any]) -> int:
        slot = self.slot(op["h"], op["w"], op["c"])
        op["steps"].append({"do": "store", "slot": slot})
        return slot

    def floats(self, *shape: int) -> np.ndarray:
        return self.rng.uniform(-2, 2, shape).astype(np.float32)

    def constant(self, h: int, w: int, c: int, low: float = -2) -> int:
        """A slot of values from low to 2."""
        value = self.rng.uniform(low, 2, (h, w, c)).astype(np.float32)
        return self.stored(self.op("constant", [], (h, w, c), tensors={"value": value}))

    def spec(self) -> Spec:
        outputs = {slot["name"]: i for i, slot in enumerate(self.slots) if slot["type"] == "f32" and i > 0}
        programs = {"key": {"ops": self.ops, "updates": []}}
        return {
            "version": 2, "slots": self.slots, "grids": self.grids, "programs": programs, "outputs": outputs
        }  # fmt: skip


class Drawn:
    """A plan, and random numbers for its frames."""

    def __init__(self, draft: Draft) -> None:
        self.spec, self.rng = draft.spec(), draft.rng

    def __repr__(self) -> str:
        """What a failing test says of it: everything but the tensors."""
        lines = [f"slots {[(s['h'], s['w'], s['c'], s['type']) for s in self.spec['slots']]}"]
        lines += [f"grid {grid}" for grid in self.spec["grids"]]
        for op in self.spec["programs"]["key"]["ops"]:
            steps = [{k: v for k, v in s.items() if not isinstance(v, np.ndarray)} for s in op["steps"]]
            size = op["h"], op["w"], op["c"]
            lines.append(f"{op['kind']} {op['inputs']} -> {size} {op['attrs']} steps {steps}")
        return "\n".join(lines)

    def video(self, count: int) -> list[np.ndarray]:
        """Frames of which each changes a part of the one before, or nothing."""
        slot, rng = self.spec["slots"][0], self.rng
        frame = rng.normal(0, 2, (slot["h"], slot["w"], slot["c"])).astype(np.float32)
        frames = [frame]
        for _ in range(count - 1):
            pixels = rng.random((*frame.shape[:2], 1)) < rng.choice([0, 0.2, 1])
            values = rng.random(frame.shape) < rng.choice([0.2, 1])
            frame = (frame + rng.normal(0, 2, frame.shape) * pixels * values).astype(np.float32)
            frames.append(frame)
        return frames


def draw_grid(draw: DrawFn, draft: Draft) -> int:
    low = draw(st.sampled_from([0, 0, 0, 1, 100]))
    high = draw(st.sampled_from([255, 255, 127, low + 15]))
    zero = draw(st.integers(low, high))
    scale = draw(st.sampled_from([0.5, 0.03125, 0.037, 0.0131]))
    draft.grids.append({"scale": scale, "zero": zero, "low": low, "high": high, "name": "grid"})
    return len(draft.grids) - 1


def draw_codes(draw: DrawFn, draft: Draft, slot: int) -> tuple[int, int]:
    """The quantized codes of a slot, and their grid: by the operator that stores it, or by a map."""
    storing = [op for op in draft.ops if op["steps"] and op["steps"][-1] == {"do": "store", "slot": slot}]
    op = storing[0] if storing and draw(st.booleans()) else draft.op("map", [slot], draft.size(slot))
    grid = draw_grid(draw, draft)
    codes = draft.slot(*draft.size(slot), "u8")
    op["steps"].append({"do": "store_codes", "slot": codes, "grid": grid})
    return codes, grid


def draw_step(draw: DrawFn, draft: Draft, op: dict[str, Any], do: str) -> dict[str, Any]:
    h, w, c = op["h"], op["w"], op["c"]
    match do:
        case "clamp":
            low, high = draw(st.sampled_from([0.0, -1.0, -np.inf])), draw(st.sampled_from([6.0, np.inf]))
            return {"do": do, "lo": low, "hi": high}
        case "leaky_relu":
            return {"do": do, "slope": draw(st.sampled_from([0.01, 0.3]))}
        case "elu":
            return {"do": do, "alpha": draw(st.sampled_from([1.0, 0.7]))}
        case "hardsigmoid":
            return {"do": do, "alpha": draw(st.sampled_from([1 / 6, 0.2])), "beta": 0.5}
        case "gelu":
            return {"do": do, "approximate": draw(st.sampled_from(["none", "tanh"]))}
        case "prelu":
            return {"do": do, "slope": draft.floats(c)}
        case "affine":
            return {"do": do, "weight": draft.floats(c), "bias": draft.floats(c)}
        case "add" | "sub" | "rsub" | "mul" | "div" | "rdiv":
            if draw(st.booleans()):
                return {"do": do, "value": draw(st.sampled_from([0.5, 3.0, 255.0]))}
            shape = draw(st.sampled_from([(h, w, c), (1, 1, c), (h, w, 1), (1, 1, 1)]))
            # What computes the operand comes first.
            draft.ops.remove(op)
            slot = draft.constant(*shape, low=0.5 if do == "div" else -2)
            draft.ops.append(op)
            return {"do": do, "slot": slot}
    return {"do": do}


def draw_stores(draw: DrawFn, draft: Draft, op: dict[str, Any]) -> None:
    """The op's value as float32, or as codes, or both."""
    size = op["h"], op["w"], op["c"]
    kinds = draw(
        st.sampled_from(
            [["store"], ["store_codes"], ["store", "store_codes"], ["store_values", "store_codes"]]
        )
    )
    for do in kinds:
        slot = draft.slot(*size, "u8" if do == "store_codes" else "f32")
        step = {"do": do, "slot": slot}
        op["steps"].append(step if do == "store" else {**step, "grid": draw_grid(draw, draft)})


def window(draw: DrawFn, size: int, largest: int, ceil: bool = False) -> tuple[int, int, int, int, int, int]:
    """kernel, stride, dilation, padding before and after, and the output's size, along one axis."""
    kernel, dilation = draw(st.integers(1, largest)), draw(st.integers(1, 2))
    before, after = draw(st.integers(0, kernel // 2)), draw(st.integers(0, kernel // 2))
    stride = draw(st.integers(1, 3))
    while (room := size + before + after - dilation * (kernel - 1) - 1) < 0:
        if dilation > 1:
            dilation = 1
        else:
            kernel -= 1
            before, after = min(before, kernel // 2), min(after, kernel // 2)
    out = (room + (stride - 1 if ceil else 0)) // stride + 1
    if ceil and (out - 1) * stride >= size + before:
        out -= 1
    return kernel, stride, dilation, before, after, out


def draw_convolution(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    floating, transposed = kind.startswith("f"), kind.endswith("transpose")
    h, w, c = draft.size(draft.source)
    groups = (
        c
        if kind == "depthwise"
        else draw(st.sampled_from([g for g in range(1, min(c, 6) + 1) if c % g == 0]))
    )
    c_out = (
        c if kind == "depthwise" else groups * draw(st.integers(1, 40) if groups == 1 else st.integers(1, 20))
    )
    ky, sy, dy, top, bottom, out_h = window(draw, h, 4)
    kx, sx, dx, left, right, out_w = window(draw, w, 4)
    attrs = {
        "kernel": [ky, kx], "stride": [sy, sx], "dilation": [dy, dx], "padding": [top, left, bottom, right],
        "groups": groups,
    }  # fmt: skip
    if transposed:
        extra = [draw(st.integers(0, s - 1)) for s in (sy, sx)]
        attrs["output_padding"] = extra
        out_h = (h - 1) * sy + dy * (ky - 1) + 1 - top - bottom + extra[0]
        out_w = (w - 1) * sx + dx * (kx - 1) + 1 - left - right + extra[1]
        if min(out_h, out_w) < 1:
            attrs["padding"], out_h, out_w = [0, 0, 0, 0], out_h + top + bottom, out_w + left + right
    shape = (c_out, c // groups, ky, kx)
    tensors = {"bias": draft.floats(c_out)}
    if floating:
        tensors["weight"] = draft.floats(*shape)
        return draft.op(kind, [draft.source], (out_h, out_w, c_out), attrs, tensors)
    codes, grid = draw_codes(draw, draft, draft.source)
    tensors["weight"] = draft.rng.integers(-128, 128, shape).astype(np.int8)
    tensors["scale"] = draft.rng.uniform(1e-4, 1e-2, c_out).astype(np.float32)
    attrs["weight_zero"] = draw(st.sampled_from([0, 0, 0, -128, 5, 127]))
    kind = "conv" if kind == "depthwise" else kind
    return draft.op(kind, [codes], (out_h, out_w, c_out), attrs, tensors, grid)


def draw_pool(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    h, w, c = draft.size(draft.source)
    ceil = draw(st.booleans())
    ky, sy, dy, top, bottom, out_h = window(draw, h, 5, ceil)
    kx, sx, dx, left, right, out_w = window(draw, w, 5, ceil)
    attrs = {"kernel": [ky, kx], "stride": [sy, sx], "padding": [top, left, bottom, right]}
    if kind == "max_pool":
        return draft.op(kind, [draft.source], (out_h, out_w, c), {**attrs, "dilation": [dy, dx]})
    # Averages have no dilation; sizes that it made smaller are sizes that a cut window makes, too.
    return draft.op(kind, [draft.source], (out_h, out_w, c), {**attrs, "count_padding": draw(st.booleans())})


def draw_resize(draw: DrawFn, draft: Draft) -> dict[str, Any]:
    h, w, c = draft.size(draft.source)
    mode, corners = draw(st.sampled_from([("nearest", False), ("bilinear", False), ("bilinear", True)]))
    size = draw(st.integers(1, 20)), draw(st.integers(1, 20))

    def scale(source: int, out: int) -> float:
        if corners:
            return (source - 1) / (out - 1) if out > 1 else 0.0
        return source / out

    attrs = {
        "mode": mode,
        "align_corners": corners,
        "scale_h": scale(h, size[0]),
        "scale_w": scale(w, size[1]),
    }
    return draft.op("resize", [draft.source], (*size, c), attrs)


def draw_move(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    h, w, c = draft.size(draft.source)
    if kind == "concat":
        inputs = [draft.source]
        for _ in range(draw(st.integers(0, 3))):
            part = draw(st.integers(1, c))
            op = draft.op("slice", [draft.source], (h, w, part), {"dim": 3, "start": c - part, "step": 1})
            inputs.append(draft.stored(op))
        return draft.op(kind, inputs, (h, w, sum(draft.size(i)[2] for i in inputs)))
    if kind == "slice":
        dim, step = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        size = [h, w, c]
        start = draw(st.integers(0, size[dim - 1] - 1))
        size[dim - 1] = draw(st.integers(1, -((start - size[dim - 1]) // step)))
        return draft.op(
            kind, [draft.source], (size[0], size[1], size[2]), {"dim": dim, "start": start, "step": step}
        )
    mode = draw(st.sampled_from(["constant", "reflect", "replicate"]))

    def side(length: int) -> int:
        return draw(st.integers(0, min(4, length - 1 if mode == "reflect" else 4)))

    top, bottom, left, right = side(h), side(h), side(w), side(w)
    front, back = (draw(st.integers(0, 5)), draw(st.integers(0, 5))) if mode == "constant" else (0, 0)
    attrs = {"t": top, "l": left, "b": bottom, "r": right, "front": front, "back": back}
    attrs |= {"mode": mode, "value": draw(st.sampled_from([0.0, -1.5]))}
    return draft.op(kind, [draft.source], (h + top + bottom, w + left + right, c + front + back), attrs)


def draw_operator(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    h, w, c = draft.size(draft.source)
    match kind:
        case "conv" | "depthwise" | "conv_transpose" | "fconv" | "fconv_transpose":
            return draw_convolution(draw, draft, kind)
        case "map" | "softmax":
            return draft.op(kind, [draft.source], (h, w, c))
        case "dequantize":
            codes, grid = draw_codes(draw, draft, draft.source)
            return draft.op(kind, [codes], (h, w, c), grid=grid)
        case "max_pool" | "avg_pool":
            return draw_pool(draw, draft, kind)
        case "global_pool" | "global_max":
            return draft.op(kind, [draft.source], (1, 1, c))
        case "adaptive_avg_pool":
            size = draw(st.integers(1, 9)), draw(st.integers(1, 9))
            return draft.op(kind, [draft.source], (*size, c), {"size": list(size)})
        case "resize":
            return draw_resize(draw, draft)
        case "pixel_shuffle":
            factor = draw(st.sampled_from([f for f in (1, 2, 3) if draft.source == 0 or c % f**2 == 0]))
            each = draw(channel_counts) if draft.source == 0 else c // factor**2
            draft.slots[draft.source]["c"] = each * factor**2
            attrs = {"factor": factor, "order": draw(st.sampled_from(["CRD", "DCR"]))}
            return draft.op(kind, [draft.source], (h * factor, w * factor, each), attrs)
        case _:
            return draw_move(draw, draft, kind)


@st.composite
def plans(draw: DrawFn, kind: str, steps: int = 0) -> Drawn:
    """A plan of one operator of this kind and at most so many arithmetic steps."""
    draft = Draft(np.random.default_rng(draw(st.integers(0, 2**32 - 1))))
    draft.slot(draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(channel_counts))
    op = draw_operator(draw, draft, kind)
    for do in draw(st.lists(st.sampled_from(STEPS), max_size=steps)):
        op["steps"].append(draw_step(draw, draft, op, do))
    draw_stores(draw, draft, op)
    return Drawn(draft)


@st.composite
def chains(draw: DrawFn) -> Drawn:
    """A few operators in a row, of which some add what an earlier one stored; in memory that slots share."""
    draft = Draft(np.random.default_rng(draw(st.integers(0, 2**32 - 1))), keep=False)
    draft.slot(
        draw(st.integers(1, 24)), draw(st.integers(1, 24)), draw(st.one_of(st.just(3), channel_counts))
    )
    stored = []
    for kind in draw(st.lists(st.sampled_from((*KINDS, "conv", "conv", "max_pool")), min_size=2, max_size=5)):
        op = draw_operator(draw, draft, kind)
        alike = [i for i in stored if draft.size(i) == (op["h"], op["w"], op["c"])]
        if alike and draw(st.booleans()):
            op["steps"].append({"do": "add", "slot": draw(st.sampled_from(alike))})
        if draw(st.booleans()):
            op["steps"].append({"do": "clamp", "lo": 0.0, "hi": np.inf})
        draft.source = draft.stored(op)
        stored.append(draft.source)
    drawn = Drawn(draft)
    chosen = draw(st.lists(st.sampled_from(stored), max_size=1)) + stored[-1:]
    drawn.spec["outputs"] = {f"slot {i}": i for i in chosen}
    return drawn


@st.composite
def step_plans(draw: DrawFn, do: str) -> Drawn:
    """A map of the input through this one step."""
    draft = Draft(np.random.default_rng(draw(st.integers(0, 2**32 - 1))))
    draft.slot(draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(channel_counts))
    op = draft.op("map", [0], draft.size(draft.source))
    op["steps"].append(draw_step(draw, draft, op, do))
    draft.stored(op)
    return Drawn(draft)
