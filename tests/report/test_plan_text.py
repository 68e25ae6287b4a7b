"""A plan as text."""

import re

import videoquant as vq
from tests.networks import moving_frames
from tests.operators import captured
from tests.operators.pools import Pools
from videoquant.engine import lower
from videoquant.report.plan_text import plan_lines


def test_every_operator_slot_and_grid_has_its_lines(plan):
    lines = list(plan_lines(plan))
    assert max(map(len, lines)) <= 80
    for kind, program in plan.programs.items():
        assert any(line.startswith(f"program {kind}: {len(program.ops)} operators, ") for line in lines)
    heads = [line for line in lines if re.match(r" *\d+ [a-z_]+ .*\d+×\d+×\d+$", line)]
    ops = [op for program in plan.programs.values() for op in program.ops]
    assert len(heads) == len(ops)
    for line, op in zip(heads, ops, strict=True):
        assert line.split()[1] == op.kind and line.endswith(f" {op.h}×{op.w}×{op.c}") and op.name in line
    slots = next(i for i, line in enumerate(lines) if line.startswith("slots: what each holds, "))
    for index, slot in enumerate(plan.slots):
        assert lines[slots + 1 + index].split()[:2] == [str(index), slot.type]
        assert lines[slots + 1 + index].endswith(slot.name)
    assert all(
        line.endswith(grid.name) for line, grid in zip(lines[-len(plan.grids) :], plan.grids, strict=True)
    )


def test_range_updates_stand_before_their_operator():
    plan = lower(vq.quantize(captured(Pools), "w8a8 dynamic", moving_frames(8, 12)))
    lines = list(plan_lines(plan))
    for update in plan.programs["key"].updates:
        at = next(
            i for i, line in enumerate(lines) if line.split()[:3] == ["ranges", "grid", str(update.grid)]
        )
        following = next(line for line in lines[at:] if re.match(r" *\d+ ", line))
        assert int(following.split()[0]) == update.before_op
