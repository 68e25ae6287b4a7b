"""Hypothesis strategies for plans (docs/plan.md): of one operator and what feeds it, or of a few in a row.

How each operator is drawn stands in `tests/operators`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.operators import DRAWS
from tests.operators.elementwise import STEPS, draw_step
from tests.operators.plan_draft import Draft, channel_counts, draw_grid

KINDS = tuple(DRAWS)


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


@st.composite
def plans(draw: DrawFn, kind: str, steps: int = 0) -> Drawn:
    """A plan of one operator of this kind and at most so many arithmetic steps."""
    draft = Draft(np.random.default_rng(draw(st.integers(0, 2**32 - 1))))
    draft.slot(draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(channel_counts))
    op = DRAWS[kind](draw, draft, kind)
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
        op = DRAWS[kind](draw, draft, kind)
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
