"""A plan that was saved and read computes the same; what is no plan is refused in one line."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

import videoquant as vq
from tests.engine.plan_interpreter import Interpreter
from tests.engine.zoo import Ends, captured
from tests.networks import moving_frames, small_network
from videoquant.engine.lower import lower
from videoquant.runtime.integer_network import load_plan
from videoquant.runtime.stream import Stream


def outputs(plan, frames):
    stream = Stream(plan, Interpreter(plan))
    return [stream.run(frame) for frame in frames]


@pytest.mark.parametrize("text", ["w8a8", "w8a8->w4a4 T=2 asymmetric", "w8a8->w4a4 T=2 qpp", "w4a4 dynamic"])
def test_loaded_equals_unsaved(network, text, tmp_path):
    frames = moving_frames(16)
    plan = lower(vq.quantize(network, text, frames))
    plan.save(tmp_path / "net.plan")
    loaded = load_plan(tmp_path / "net.plan")
    assert loaded.scheme == plan.scheme and loaded.preprocessing == plan.preprocessing
    for a, b in zip(outputs(plan, frames[:3]), outputs(loaded, frames[:3]), strict=True):
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_the_postprocess_is_saved(tmp_path):
    frames = moving_frames(4, 12)
    plan = lower(vq.quantize(captured(Ends), "w8a8", frames))
    plan.save(tmp_path / "net.plan")
    (a,), (b,) = outputs(plan, frames[:1]), outputs(load_plan(tmp_path / "net.plan"), frames[:1])
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def network():
    return small_network()


@pytest.fixture(scope="module")
def content(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "net.plan"
    lower(vq.quantize(network, "w8a8", moving_frames(2))).save(path)
    return path.read_bytes()


@pytest.fixture
def saved(content, tmp_path):
    path = tmp_path / "net.plan"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.999])
def test_a_file_that_is_cut_is_refused(saved, share):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    refused(saved)


def test_a_file_that_is_something_else_is_refused(network, saved, tmp_path):
    saved.write_bytes(b"hello")
    refused(saved)
    save_file({"x": np.zeros(1)}, saved)
    refused(saved, "not a plan that videoquant wrote")
    vq.save(vq.quantize(network, "w8a8", moving_frames(2)), saved)
    refused(saved, "not a plan that videoquant wrote")
    refused(tmp_path / "absent.plan", "no such file")


def test_another_version_is_refused(saved):
    change(saved, lambda header: header.update(version=99))
    refused(saved, "a plan of version 99; this release reads 1 and 2")


@pytest.mark.parametrize("key", ["slots", "programs", "given", "outputs", "scheme", "postprocess"])
def test_a_file_without_a_part_is_refused(saved, key):
    change(saved, lambda header: header.pop(key))
    refused(saved)


def change(path, edit):
    with safe_open(path, "np") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header = json.loads(metadata["plan"])
    edit(header)
    save_file(tensors, path, {**metadata, "plan": json.dumps(header)})


def refused(path, message="not a plan, or damaged"):
    with pytest.raises(vq.NetworkError, match=message) as caught:
        load_plan(path)
    assert path.name in str(caught.value) and "\n" not in str(caught.value)
