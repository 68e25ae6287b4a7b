"""A plan as text and as a picture, and what both are made of: when each tensor is needed."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

import videoquant as vq
from tests.engine.zoo import Pools, captured
from tests.networks import moving_frames
from videoquant.engine import lower
from videoquant.errors import OutputError
from videoquant.report.plan_picture import plan_picture, write_plan_picture
from videoquant.report.plan_text import plan_lines

SCHEMES = ("w8a8", "w8a8->w4a4 T=3 recurrent", "w8a8 dynamic ds=2%")


@pytest.fixture(scope="module", params=SCHEMES)
def plan(request):
    return lower(vq.quantize(captured(Pools), request.param, moving_frames(8, 12)))


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


def test_the_picture_has_every_operator_and_tensor(plan, tmp_path):
    write_plan_picture(plan, tmp_path / "plan.svg")
    root = ElementTree.parse(tmp_path / "plan.svg").getroot()
    text = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for program in plan.programs.values():
        for index, op in enumerate(program.ops):
            assert any(line.startswith(f"{index}  {op.kind} ") for line in text)
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    for index, slot in enumerate(plan.slots):
        assert any(title.startswith(f"{index} {slot.name}: {slot.h}×{slot.w}×{slot.c}, ") for title in titles)
    assert plan_picture(plan) == (tmp_path / "plan.svg").read_text(encoding="utf-8")


def test_a_picture_is_an_svg_file(plan, tmp_path):
    with pytest.raises(OutputError, match=r"the picture of a plan is an \.svg file"):
        write_plan_picture(plan, tmp_path / "plan.png")
