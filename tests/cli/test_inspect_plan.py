"""`videoquant inspect` of a plan."""

from pathlib import Path

import pytest

import videoquant as vq
from videoquant.engine import lower
from videoquant.report.plan_text import plan_lines


@pytest.fixture(scope="module")
def quantized(small, clip):
    return vq.quantize(vq.load(small), "w8a8", vq.frames(clip))


def test_a_plan_is_printed_and_drawn(command, quantized, tmp_path):
    plan = lower(quantized)
    vq.save(quantized, tmp_path / "bright.vq")
    plan.save(tmp_path / "bright.plan")
    code, out, _ = command("inspect", "bright.plan", "--plot", "plan.svg")
    assert code == 0 and out.splitlines() == [*plan_lines(plan), "", "picture   plan.svg"]
    assert Path("plan.svg").read_text(encoding="utf-8").startswith("<svg ")
    code, other, _ = command("inspect", "bright.vq", "--plan")
    assert code == 0 and other.splitlines() == list(plan_lines(plan))


def test_what_has_no_plan_is_refused(command, small, quantized, tmp_path):
    code, _, err = command("inspect", small, "--plan")
    assert code == 2 and "--plan is of what `videoquant quantize` stored" in err
    code, _, err = command("inspect", "missing.vq", "--plan")
    assert code == 2 and err == "videoquant: error: missing.vq: no such file\n"
    lower(quantized).save(tmp_path / "bright.plan")
    code, _, err = command("inspect", "bright.plan", "--scheme", "w4a4")
    assert code == 2 and "of a plan, --scheme says nothing" in err
    code, _, err = command("inspect", "bright.plan", "--plot", "plan.png")
    assert code == 2 and "the picture of a plan is an .svg file" in err
