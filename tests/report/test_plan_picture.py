"""A plan as a picture."""

import xml.etree.ElementTree as ElementTree

import pytest

from videoquant.errors import OutputError
from videoquant.report.plan_picture import plan_picture, write_plan_picture


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
