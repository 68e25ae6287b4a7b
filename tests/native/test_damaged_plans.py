"""Plans with something wrong in them: refused with ValueError, or run like any other; never a crash.

`test_sanitizers.py` runs this file once more with a module that reports every bad access.
"""

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.native.drawn_plans import KINDS, plans
from videoquant import _native

NUMBERS = [-(2**63), -(2**31), -129, -1, 0, 1, 2, 3, 4, 5, 7, 17, 100, 255, 256, 32768, 2**31, 2**40]
OTHERS = [None, "", "conv", "store", "u8", [], {}, 0.5, -1.0, 1e-45, 1e30, float("inf"), float("nan"), True]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in nested dicts and lists."""
    keys: Any = ()
    if isinstance(value, dict):
        keys = value
    elif isinstance(value, list):
        keys = range(len(value))
    return [path] * bool(path) + [p for key in keys for p in places(value[key], (*path, key))]


def damage(data: st.DataObject, spec: dict[str, Any]) -> None:
    """Change one thing, anywhere."""
    path = data.draw(st.sampled_from(places(spec)))
    parent: Any = spec
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    old = parent[key]
    if isinstance(old, np.ndarray):
        changes = [
            old[:-1],
            old[..., None].repeat(2, -1)[..., 0],
            old.astype(np.float64),
            np.full_like(old, 127),
        ]
        parent[key] = data.draw(st.sampled_from([*changes, old.T, old * np.float32(np.nan)]))
    elif data.draw(st.integers(0, 5)) == 0:
        del parent[key]
    elif isinstance(old, list) and old and data.draw(st.booleans()):
        old.insert(0, copy.deepcopy(old[data.draw(st.integers(0, len(old) - 1))]))
    else:
        parent[key] = data.draw(st.sampled_from(NUMBERS if type(old) is int else NUMBERS + OTHERS))


def bytes_of(spec: dict[str, Any]) -> int:
    return sum(slot["h"] * slot["w"] * (slot["c"] + 3) * 4 for slot in spec["slots"])


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_plan_is_refused_or_runs(kind: str, data: st.DataObject) -> None:
    drawn = data.draw(plans(kind, steps=2))
    spec, frames = drawn.spec, drawn.video(3)
    for _ in range(data.draw(st.integers(1, 3))):
        damage(data, spec)
    try:
        plan = _native.Plan(spec)
    except ValueError as error:
        assert "\n" not in str(error)
        return
    if bytes_of(spec) > 2**26:
        return
    slot = spec["slots"][0]
    if frames[0].shape != (slot["h"], slot["w"], slot["c"]):
        frames = [np.ones((slot["h"], slot["w"], slot["c"]), np.float32)] * 3
    outputs = list(spec["outputs"].values())
    seen = []
    modes = [
        ("reference", "frame"),
        *((isa, "frame") for isa in _native.isas()),
        ("", "exact"),
        ("", "regions"),
    ]
    draw = np.random.default_rng(0)
    for isa, mode in modes:
        try:
            session = _native.Session(plan, isa, 2, mode)
        except ValueError:
            assert mode == "regions"  # of ranges that change
            continue
        for i, frame in enumerate(frames):
            if mode == "regions":
                blocks = draw.integers(0, 2, (-(-slot["h"] // 4), -(-slot["w"] // 4))).astype(np.uint8)
                session.look(blocks, 4, i % 2, i == 0, False)
            session.run("key", frame)
        if mode == "frame":
            seen.append([np.array(session.slot(i)) for i in outputs])
    for others in seen[1:]:
        for a, b in zip(seen[0], others, strict=True):
            np.testing.assert_array_equal(a, b)
