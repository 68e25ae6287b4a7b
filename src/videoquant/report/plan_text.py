"""A plan as text: its operators in order, with what they read and store, its tensors and grids.

12 conv m.mods.84 3×3                                              16×16×96
   reads   9 m.mods.80:a8
   steps   hardswish, codes 11 by grid 8
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from videoquant.runtime.flow import bytes_of, live_bytes, lives
from videoquant.runtime.plan import Plan
from videoquant.runtime.program import (
    Combine,
    Function,
    MeasuredRange,
    Op,
    RangeUpdate,
    Step,
    Store,
    StoreCodes,
    StoreValues,
)

WIDTH = 80
_INDENT = 8
_SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷"}


def plan_lines(plan: Plan, width: int = WIDTH) -> Iterator[str]:
    """The lines of a plan, none longer than `width` but for names that are."""
    yield f"plan      {plan.name}: {plan.scheme}, input {_size(plan.input_shape)}"
    weights = sum(
        t.nbytes for program in plan.programs.values() for op in program.ops for t in op.tensors.values()
    )
    state = sum(bytes_of(slot) for slot in plan.slots if slot.keep)
    yield f"weights   {byte_text(weights)}" + (
        f"; state from frame to frame {byte_text(state)}" if state else ""
    )
    for kind in plan.programs:
        yield ""
        yield from _program_lines(plan, kind, width)
    if plan.postprocess:
        yield ""
        yield f"after the programs: {len(plan.postprocess)} operators on their outputs"
        for node in plan.postprocess:
            yield from _wrapped(f"{node.op} {node.name}, of {', '.join(node.inputs)}", width, " " * 4)
    yield ""
    yield from _slot_lines(plan)
    yield ""
    yield from _grid_lines(plan)


def _program_lines(plan: Plan, kind: str, width: int) -> Iterator[str]:
    program, live = plan.programs[kind], live_bytes(plan, kind)
    most = max(range(len(live)), key=live.__getitem__)
    yield from _wrapped(
        f"program {kind}: {len(program.ops)} operators, {len(program.updates)} range updates; needs most "
        f"memory, {byte_text(live[most])}, at operator {most}",
        width,
    )
    for index, op in enumerate(program.ops):
        yield from _update_lines(plan, [u for u in program.updates if u.before_op == index], width)
        title, size = f"{index:4} {titled(op)}", f"{op.h}×{op.w}×{op.c}"
        if len(title) + 1 + len(size) > width:
            yield title
            title = ""
        yield title + size.rjust(width - len(title))
        inputs = ", ".join(f"{slot} {plan.slots[slot].name}" for slot in op.inputs)
        if inputs:
            by = "" if op.grid is None else f" by grid {op.grid}"
            sparse = "" if op.sparse is None else f", sparse part {op.sparse}"
            yield from _entry("reads", inputs + by + sparse, width)
        if op.steps:
            yield from _entry("steps", ", ".join(step_text(step) for step in op.steps), width)
    yield from _update_lines(plan, [u for u in program.updates if u.before_op == len(program.ops)], width)


def titled(op: Op) -> str:
    """An operator in a few words: kind, name, and the window of a convolution or a pool."""
    words = [op.kind, op.name]
    kernel, stride = (_window(op, key) for key in ("kernel", "stride"))
    if kernel:
        words.append("×".join(map(str, kernel)) + (f"/{max(stride)}" if stride and max(stride) > 1 else ""))
    groups = op.attrs.get("groups", 1)
    if isinstance(groups, int) and groups > 1:
        words.append("depthwise" if groups == op.c else f"{groups} groups")
    return " ".join(words)


def step_text(step: Step) -> str:
    """What a step does, with the slots and grids it uses by number."""
    match step:
        case Function("clamp"):
            return f"clamp {step.attrs['lo']:g} to {step.attrs['hi']:g}"
        case Function():
            values = [f"{key} {v:g}" for key, v in step.attrs.items() if isinstance(v, int | float)]
            return " ".join([step.do, *values])
        case Combine():
            operand = f"slot {step.slot}" if step.value is None else f"{step.value:g}"
            return f"{_SIGNS.get(step.do, step.do)} {operand}"
        case Store():
            return f"store {step.slot}"
        case StoreCodes():
            sparse = "" if step.sparse is None else f", rest to {step.sparse}"
            return f"codes {step.slot} by grid {step.grid}{sparse}"
        case StoreValues():
            return f"values of codes {step.slot} by grid {step.grid}"
    sparse = "" if step.sparse is None else f", rest to {step.sparse}"
    update = ", which follows" if step.update else ""
    return f"codes {step.slot} by grid {step.grid} of the difference from {step.reference}{update}{sparse}"


def update_text(plan: Plan, update: RangeUpdate) -> str:
    """What a range update does."""
    what = f"{update.slot} {plan.slots[update.slot].name}"
    if isinstance(update, MeasuredRange):
        return f"grid {update.grid} from the range of {what}"
    grids = ", ".join(str(prediction.grid) for prediction in update.grids)
    kept = "; remembers it" if update.remember else ""
    return f"grids {grids or 'none'} from {', '.join(update.features)} of {what}{kept}"


def _update_lines(plan: Plan, updates: list[RangeUpdate], width: int) -> Iterator[str]:
    for update in updates:
        yield from _entry("ranges", update_text(plan, update), width)


def _slot_lines(plan: Plan) -> Iterator[str]:
    needed = {kind: {life.slot: life for life in lives(plan, kind)} for kind in plan.programs}
    yield f"slots: what each holds, and when it is needed (operators of {' / '.join(needed)})"
    for index, slot in enumerate(plan.slots):
        when = []
        for kind, found in needed.items():
            life, ops = found.get(index), plan.programs[kind].ops
            end = "" if life is None else "end" if life.last == len(ops) else str(life.last)
            when.append("none" if life is None else f"{max(life.first, 0)}–{end}")
        yield (
            f"{index:4} {slot.type:6} {f'{slot.h}×{slot.w}×{slot.c}':14} {byte_text(bytes_of(slot)):>9}  "
            f"{'state' if slot.keep else ' / '.join(when):9} {slot.name}"
        )


def _grid_lines(plan: Plan) -> Iterator[str]:
    yield "grids: value = (code − zero) · scale"
    for index, grid in enumerate(plan.grids):
        yield (
            f"{index:4} scale {grid.scale:<12.6g} zero {grid.zero:<4} codes {grid.low} to {grid.high:<4} "
            f"{grid.name}"
        )


def _window(op: Op, key: str) -> tuple[int, ...]:
    value = op.attrs.get(key, ())
    return tuple(value) if isinstance(value, list | tuple) else ()


def _entry(word: str, text: str, width: int) -> Iterator[str]:
    lines = _wrapped(text, width, " " * (_INDENT + 8))
    for number, line in enumerate(lines):
        yield f"{'':{_INDENT}}{word:8}{line.lstrip()}" if number == 0 else line


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def byte_text(count: int) -> str:
    """A number of bytes in words, e.g. "1.50 MiB"."""
    return f"{count / 1024:.1f} KiB" if count < 1 << 20 else f"{count / (1 << 20):.2f} MiB"
