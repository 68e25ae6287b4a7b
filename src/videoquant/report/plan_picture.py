"""A plan as a picture: operators from top to bottom, with a line beside them for every tensor that is needed.

Orange lines are float32 values, blue ones codes, green ones the sparse part of Dense + Sparse. A dot is where
a tensor is stored, a tick where it is read. State, which stays from frame to frame, has no line: a dot where
it is stored, a ring where it is read. The bar at the right is the memory of what is needed at that time.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from videoquant.errors import OutputError
from videoquant.files import atomic_write, check_writable
from videoquant.report.palette import COLORS, INK, MUTED, RULE
from videoquant.report.plan_text import byte_text, step_text, titled, update_text
from videoquant.runtime.flow import Life, bytes_of, changed_by, live_bytes, lives, read_by
from videoquant.runtime.plan import Plan

ROW, LANE = 38, 9  # pixels: from operator to operator, and from one tensor's line to the next
TEXT, SIZE, BAR, MARGIN = 560, 110, 120, 20  # widths: of what an operator does, its size, the memory's bar
CHARACTERS = 92  # of the small text that fit into TEXT
TYPES = {"f32": COLORS[1], "u8": COLORS[0], "sparse": COLORS[2]}


def write_plan_picture(plan: Plan, path: str | Path) -> None:
    """Write the picture as an SVG file; errors as of `check_picture`."""
    check_picture(path)
    with atomic_write(path) as temporary:
        temporary.write_text(plan_picture(plan), encoding="utf-8")


def check_picture(path: str | Path) -> None:
    """Raise `OutputError` unless a path ends in .svg and can be written."""
    if Path(path).suffix.lower() != ".svg":
        raise OutputError(f"{path}: the picture of a plan is an .svg file")
    check_writable(path)


def plan_picture(plan: Plan) -> str:
    """The picture as SVG text."""
    lanes = {kind: _lanes(plan, kind) for kind in plan.programs}
    left = MARGIN + LANE * (1 + max(max(found.values()) + 1 for found in lanes.values()))
    width = left + TEXT + SIZE + BAR + 2 * MARGIN
    parts: list[str] = []
    top = 60
    for kind in plan.programs:
        parts += _program(plan, kind, lanes[kind], left, top)
        top += ROW * (len(plan.programs[kind].ops) + 1) + 50
    title = f"{plan.name}, {plan.scheme}: input {'×'.join(map(str, plan.input_shape))}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" '
            f'viewBox="0 0 {width} {top}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="12">',
            '<rect width="100%" height="100%" fill="white"/>',
            _text(MARGIN, 26, title, size=15, weight="bold"),
            *_legend(left),
            *parts,
            "</svg>",
            "",
        ]
    )


def _legend(left: int) -> Iterator[str]:
    words = {"u8": "codes", "f32": "float32 values", "sparse": "sparse part"}
    for index, (kind, word) in enumerate(words.items()):
        x = left + 150 * index
        yield f'<path d="M{x} 43h22" stroke="{TYPES[kind]}" stroke-width="2"/>'
        yield _text(x + 28, 47, word, color=MUTED, size=11)
    yield f'<circle cx="{left + 460}" cy="43" r="3" fill="{INK}"/>'
    yield f'<circle cx="{left + 470}" cy="43" r="3" fill="none" stroke="{INK}"/>'
    yield _text(left + 478, 47, "state, stored and read", color=MUTED, size=11)


def _program(plan: Plan, kind: str, lanes: dict[int, int], left: int, top: int) -> Iterator[str]:
    """A program's heading, lines and operators, from `top` on."""
    program, live = plan.programs[kind], live_bytes(plan, kind)
    most = max(live, default=1) or 1
    yield _text(left, top + 16, f"program {kind}", size=13, weight="bold")
    x = left + TEXT + SIZE
    yield _text(x, top + 16, f"memory, at most {byte_text(most)}", color=MUTED, size=11)
    first = top + 30
    for life in lives(plan, kind):
        yield from _line(plan, kind, life, MARGIN + LANE * lanes[life.slot], first)
    for index, op in enumerate(program.ops):
        y = first + ROW * index
        yield f'<path d="M{left - 4} {y + ROW - 5}H{x + BAR}" stroke="{RULE}"/>'
        yield _text(left, y + 13, f"{index}  {titled(op)}", limit=68)
        yield _text(left + TEXT + SIZE - 16, y + 13, f"{op.h}×{op.w}×{op.c}", color=MUTED, anchor="end")
        done = [f"{update_text(plan, u)} →" for u in program.updates if u.before_op == index]
        done += [step_text(step) for step in op.steps]
        if done:
            yield _text(left, y + 28, ", ".join(done), color=MUTED, size=10, limit=CHARACTERS)
        bar = max(1.0, BAR * live[index] / most)
        yield (
            f'<rect x="{x}" y="{y + 3}" width="{bar:.1f}" height="{ROW - 14}" fill="{COLORS[0]}" '
            f'fill-opacity="0.35"><title>{byte_text(live[index])}</title></rect>'
        )


def _line(plan: Plan, kind: str, life: Life, x: int, top: int) -> Iterator[str]:
    """A tensor's line, with dots where it is stored, ticks where it is read; of state dots and rings."""
    slot, ops = plan.slots[life.slot], plan.programs[kind].ops
    color = INK if slot.keep else TYPES[slot.type]
    what = f"{life.slot} {slot.name}: {slot.h}×{slot.w}×{slot.c}, {byte_text(bytes_of(slot))}"
    yield f"<g><title>{escape(what)}</title>"
    if not slot.keep:
        begin, end = top + ROW * max(life.first, 0) + 12, top + ROW * life.last + 4
        begin -= 10 if life.first < 0 else 0
        yield f'<path d="M{x} {begin}V{max(begin, end)}" stroke="{color}" stroke-width="2"/>'
    for index, op in enumerate(ops):
        y = top + ROW * index
        if life.slot in changed_by(op):
            yield f'<circle cx="{x}" cy="{y + 12}" r="3" fill="{color}"/>'
        if life.slot in read_by(op) and slot.keep:
            yield f'<circle cx="{x}" cy="{y + 22}" r="3" fill="none" stroke="{color}"/>'
        elif life.slot in read_by(op):
            yield f'<path d="M{x} {y + 4}h5" stroke="{color}" stroke-width="2"/>'
    yield "</g>"


def _lanes(plan: Plan, kind: str) -> dict[int, int]:
    """Each slot's lane: the leftmost that no other slot has at that time; state shares the last two."""
    free: list[int] = []  # by lane, the last operator that needs it
    found, kept = {}, []
    for life in lives(plan, kind):
        if plan.slots[life.slot].keep:
            kept.append(life.slot)
            continue
        lane = next((i for i, end in enumerate(free) if end < life.first), len(free))
        free[lane : lane + 1] = [life.last]
        found[life.slot] = lane
    return found | {slot: len(free) + place % 2 for place, slot in enumerate(kept)}


def _text(
    x: float,
    y: float,
    text: str,
    color: str = INK,
    size: int = 12,
    weight: str = "normal",
    anchor: str = "start",
    limit: int | None = None,
) -> str:
    """Text at a place; what is longer than `limit` is cut, and whole where the pointer rests on it."""
    shown = text if limit is None or len(text) <= limit else f"{text[: limit - 1]}…"
    title = "" if shown == text else f"<title>{escape(text)}</title>"
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{color}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}">{escape(shown)}{title}</text>'
    )
