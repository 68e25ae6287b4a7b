"""A plan is a value that knows nothing of streams; an integer network is a plan that opens them."""

import dataclasses

import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.engine import lower
from videoquant.runtime.integer_network import IntegerNetwork, load_plan
from videoquant.runtime.plan import Plan
from videoquant.runtime.stream import open_stream


@pytest.fixture(scope="module")
def frames():
    return moving_frames(4)


@pytest.fixture(scope="module")
def network(frames):
    return lower(vq.quantize(small_network(), "w8a8", frames))


def test_a_stream_is_that_of_its_plan(network, frames):
    plan = Plan(**{field.name: getattr(network, field.name) for field in dataclasses.fields(network)})
    assert not hasattr(plan, "stream") and not hasattr(plan, "save")
    of_network, of_plan = network.stream("exact", threads=1), open_stream(plan, "exact", threads=1)
    for frame in frames:
        a, b = of_network.run(frame), of_plan.run(frame)
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_file_gives_an_integer_network(network, frames, tmp_path):
    network.save(tmp_path / "net.plan")
    loaded = load_plan(tmp_path / "net.plan")
    assert isinstance(loaded, IntegerNetwork) and vq.load_plan is load_plan
    a, b = network.stream().run(frames[0]), loaded.stream().run(frames[0])
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_its_spec_is_plain(network):
    slots = network.spec["slots"]
    assert [slot["name"] for slot in slots] == [slot.name for slot in network.slots]
    marks = {"keep": False, "residual": False}
    assert slots[0] == {"name": network.slots[0].name, "h": 16, "w": 16, "c": 3, "type": "f32", **marks}
    points = [slot["name"] for slot in slots if slot["type"] == "u8"]
    assert points and network.spec is network.spec


def test_it_cannot_be_changed(network):
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.name = "other"
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.slots[0].h = 3
