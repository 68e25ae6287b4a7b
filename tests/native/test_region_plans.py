"""Every operator in regions: the same on every instruction set, and that of full frames where all is new.

`test_sanitizers.py` runs a part of this file once more with a module that reports every bad access.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.native.drawn_plans import KINDS, Drawn, chains, plans
from videoquant import _native
from videoquant.regions.region import Region

FRAMES = 5
Spec = dict[str, Any]


def session(spec: Spec, isa: str, mode: str, threads: int = 1) -> Any:
    return _native.Session(_native.Plan(spec), isa, threads, mode)


def regions(data: st.DataObject, spec: Spec) -> list[Region]:
    """A whole frame, and others of some blocks."""
    size = spec["slots"][0]["h"], spec["slots"][0]["w"]
    block = data.draw(st.integers(1, 6))
    shape = tuple(-(-side // block) for side in size)
    draw = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    found = [Region(np.ones(shape, bool), True, False, size, block)]
    while len(found) < FRAMES:
        found.append(Region(draw.random(shape) < draw.choice([0, 0.2, 0.6, 1]), False, False, size, block))
    return found


def run(
    session: Any, spec: Spec, frames: list[np.ndarray], regions: list[Region], grow: int
) -> list[list[np.ndarray]]:
    """What is in every slot that is kept, after each frame."""
    found = []
    for frame, region in zip(frames, regions, strict=True):
        blocks = region.blocks.astype(np.uint8)
        session.look(blocks, region.block, grow, region.whole, region.moving)
        session.run("key", frame)
        found.append([np.array(session.slot(i)) for i in range(len(spec["slots"]))])
    return found


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype == np.float32)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), threads=st.integers(1, 3), grow=st.integers(0, 2))
def test_regions_are_the_same_on_every_instruction_set(
    kind: str, data: st.DataObject, threads: int, grow: int
) -> None:
    drawn = data.draw(plans(kind, steps=2))
    spec, frames = drawn.spec, drawn.video(FRAMES)
    seen = regions(data, spec)
    expected = run(session(spec, "reference", "regions"), spec, frames, seen, grow)
    for isa in _native.isas():
        got = run(session(spec, isa, "regions", threads), spec, frames, seen, grow)
        for t, (slots, twins) in enumerate(zip(got, expected, strict=True)):
            for i, (a, b) in enumerate(zip(slots, twins, strict=True)):
                assert same(a, b), (isa, t, spec["slots"][i])
    dense = session(spec, "reference", "frame")
    dense.run("key", frames[0])
    for i in range(1, len(spec["slots"])):
        assert same(dense.slot(i), expected[0][i])
    for before, after, region in zip(expected, expected[1:], seen[1:], strict=False):
        for slot, a, b in zip(spec["slots"], before, after, strict=True):
            if slot["h"] * slot["w"] > 1:  # nothing outside the region has moved
                stays = ~region.mask(slot["h"], slot["w"], grow)
                assert same(a[stays], b[stays]), slot


@settings(max_examples=100, deadline=None)
@given(drawn=chains(), data=st.data(), threads=st.integers(1, 3), isa=st.sampled_from(_native.isas()))
def test_chains_of_operators(drawn: Drawn, data: st.DataObject, threads: int, isa: str) -> None:
    spec, frames = drawn.spec, drawn.video(FRAMES)
    seen = regions(data, spec)
    outputs = list(spec["outputs"].values())
    expected = run(session(spec, "reference", "regions"), spec, frames, seen, 0)
    got = run(session(spec, isa, "regions", threads), spec, frames, seen, 0)
    for slots, twins in zip(got, expected, strict=True):
        assert all(same(slots[i], twins[i]) for i in outputs)


def test_blocks_that_do_not_cover_the_input_are_refused() -> None:
    slot = {"h": 20, "w": 12, "c": 3, "type": "f32", "keep": False, "name": "x"}
    op = {"kind": "map", "name": "map", "inputs": [0], "attrs": {}, "tensors": {}, "h": 20, "w": 12, "c": 3}
    op["steps"] = [{"do": "store", "slot": 1}]
    programs = {"key": {"ops": [op], "updates": []}}
    spec = {"version": 3, "slots": [slot, slot], "grids": [], "programs": programs, "outputs": {"y": 1}}
    for shape, block, grow in (((2, 2), 8, 0), ((3, 2), 0, 0), ((3, 2), 8, -1), ((20, 12), 16, 0)):
        with pytest.raises(ValueError, match="blocks do not cover the input"):
            session(spec, "", "regions").look(np.ones(shape, np.uint8), block, grow, False, False)
    with pytest.raises(ValueError, match="has no regions"):
        session(spec, "", "frame").look(np.ones((3, 2), np.uint8), 8, 0, False, False)
    with pytest.raises(ValueError, match="not of the input's size"):
        session(spec, "", "regions").take_picture(np.ones((20, 12, 1), np.uint8), [1.0], [0.0])
