"""A plan in the making (docs/plan.md), and what hypothesis draws for any operator of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

Spec = dict[str, Any]
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
            "version": 3, "slots": self.slots, "grids": self.grids, "programs": programs, "outputs": outputs
        }  # fmt: skip


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
