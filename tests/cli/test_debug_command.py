"""`videoquant debug`: the layer and the value at which a plan differs from the simulation."""

import dataclasses
import json

import numpy as np
import pytest

from videoquant.engine import load_plan, lower
from videoquant.storage import load_quantized


@pytest.fixture(scope="module")
def stored(tmp_path_factory, small, clip):
    """The small network at w8a8 and in residuals, as files, by scheme."""
    import videoquant as vq

    folder, found = tmp_path_factory.mktemp("stored"), {}
    for name, scheme in (("w8a8", "w8a8"), ("residual", "w8a8->w4a4 T=3 recurrent")):
        found[name] = folder / f"{name}.vq"
        vq.save(vq.quantize(vq.load(small), scheme, vq.frames(clip)), found[name])
    return found


def planted(path, program, change):
    """A plan whose file differs: `change` gets one program's operators, as a list, and the grids."""
    plan = lower(load_quantized(path))
    ops, grids = list(plan.programs[program].ops), list(plan.grids)
    change(ops, grids)
    programs = {**plan.programs, program: dataclasses.replace(plan.programs[program], ops=tuple(ops))}
    wrong = dataclasses.replace(plan, programs=programs, grids=tuple(grids))
    file = path.with_suffix(".plan")
    wrong.save(file)
    return file


def layer(ops, name):
    """The place of a convolution that gives, maybe after others, the value `name` begins with."""
    return next(i for i, op in enumerate(ops) if op.kind == "conv" and op.name == name)


@pytest.mark.parametrize("name", ["w8a8", "residual"])
def test_a_sound_plan_has_no_difference(command, stored, clip, name):
    code, out, _ = command("debug", stored[name], "--video", clip, "--frames", 5, "--json", "d.json")
    assert code == 0 and out.startswith("no difference in 5 frames of disc.mp4: ")
    with open("d.json", encoding="utf-8") as file:
        data = json.load(file)
    assert data["difference"] is None and data["frames"] == 5
    # Three layers read codes; behind the last one there is a sigmoid, which may round otherwise.
    assert data["compared"]["codes"] > 5 * (3 + 8 + 8) * 32 * 32 - 1
    assert all(found["operator"]["kind"] == "conv" for found in data["rounded"])


def test_one_weight_that_is_wrong_is_found(command, stored, clip):
    convs = [op.name for op in lower(load_quantized(stored["w8a8"])).programs["key"].ops if op.kind == "conv"]

    def change(ops, grids):
        at = layer(ops, convs[1])
        weight = ops[at].tensors["weight"].copy()
        weight[5, 2] += np.int8(64 if weight[5, 2] < 0 else -64)
        ops[at] = dataclasses.replace(ops[at], tensors={**ops[at].tensors, "weight": weight})

    plan = planted(stored["w8a8"], "key", change)
    code, out, _ = command(
        "debug", stored["w8a8"], "--video", clip, "--plan", plan, "--isa", "reference", "--json", "d.json"
    )
    with open("d.json", encoding="utf-8") as file:
        found = json.load(file)["difference"]
    assert code == 1 and out.startswith(f"frame 0: conv {convs[1]!r} differs from simulation at ")
    assert found["operator"] == {"kind": "conv", "name": convs[1]} and found["place"][2] == 5
    assert found["slot"]["type"] == "u8" and found["slot"]["size"] == [32, 32, 8]
    assert found["engine"] != found["simulation"] and 0 < found["count"] <= 32 * 32
    grid = found["grid"]
    row, column, channel = found["place"]
    assert f"place          row {row}, column {column}, channel {channel} of 32×32×8 codes" in out
    value = (found["engine"] - grid["zero_point"]) * grid["scale"]
    assert f"engine         {found['engine']:.9g}, which stands for {value:.9g}" in out


def test_a_grid_that_is_wrong_on_residual_frames_is_found_there(command, stored, clip):
    def change(ops, grids):
        at = next(i for i, grid in enumerate(grids) if grid.name.endswith(" residual"))
        grids[at] = dataclasses.replace(grids[at], scale=float(np.float32(grids[at].scale * 1.5)))

    plan = planted(stored["residual"], "residual", change)
    wrong = next(grid for grid in load_plan(plan).grids if grid.name.endswith(" residual"))
    code, out, _ = command("debug", stored["residual"], "--video", clip, "--plan", plan)
    assert code == 1 and out.startswith("frame 1: ")  # the first residual frame
    assert f" differs from simulation at {wrong.name.removesuffix(' residual')!r}" in out.splitlines()[0]
    assert "a plan adds 128" in out


def test_a_plan_of_something_else_is_refused(command, stored, clip):
    plan = planted(stored["residual"], "key", lambda ops, grids: None)
    code, _, err = command("debug", stored["w8a8"], "--video", clip, "--plan", plan)
    assert code == 2 and "its scheme is w8a8->w4a4 T=3 recurrent, not w8a8" in err


def test_an_instruction_set_that_is_unknown_is_refused(command, stored, clip):
    code, _, err = command("debug", stored["w8a8"], "--video", clip, "--isa", "mmx")
    assert code == 2 and "--isa mmx: this CPU has " in err
