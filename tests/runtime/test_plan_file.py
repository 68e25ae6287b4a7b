"""A plan that was saved and read computes the same; what is no plan is refused in one line."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

import videoquant as vq
from tests.engine.plan_interpreter import Interpreter
from tests.networks import moving_frames, small_network
from tests.operators import captured
from tests.operators.softmax import Ends
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
    assert loaded.task == plan.task
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


def test_a_file_of_version_2_has_no_regions(saved):
    frames = moving_frames(3)
    wanted = [load_plan(saved).stream().run(frame) for frame in frames]

    def older(header):
        header["version"] = 2
        for op in [op for program in header["programs"].values() for op in program["ops"]]:
            del op["placeless"]
        for slot in header["slots"]:
            del slot["residual"]

    change(saved, older)
    plan = load_plan(saved)
    for frame, outputs in zip(frames, wanted, strict=True):
        assert all(torch.equal(y, outputs[name]) for name, y in plan.stream().run(frame).items())
    with pytest.raises(vq.SchemeError, match="lower the network again"):
        plan.stream("regions")


def test_a_file_keeps_what_regions_need(network, tmp_path):
    frames = moving_frames(12)
    plan = lower(vq.quantize(network, "w8a8->w4a4 T=3 regions margin=0 block=8", frames[:6]))
    plan.save(tmp_path / "net.plan")
    one, other = plan.stream(), load_plan(tmp_path / "net.plan").stream()
    for frame in frames[6:]:
        a, b = one.run(frame), other.run(frame)
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_another_version_is_refused(saved):
    change(saved, lambda header: header.update(version=99))
    refused(saved, "a plan of version 99; this release reads 1 to 3")


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


def postprocessed(header, **changes):
    """A node on what the plan gives first."""
    value = next(iter(header["given"]))
    node = {
        "name": "y",
        "op": "permute",
        "inputs": [value],
        "attributes": {"dims": [0, 2, 3, 1]},
        "tensors": {},
    }
    header["postprocess"].append(node | changes)


DAMAGES = {
    "a whole number": lambda h: h["slots"][0].update(h="16"),
    "f32 or u8 or sparse": lambda h: h["slots"][0].update(type="f64"),
    "which is unknown": lambda h: h["slots"][0].update(depth=3),
    "lacks 'scale'": lambda h: h["grids"][0].pop("scale"),
    "a finite number": lambda h: h["grids"][0].update(scale=float("nan")),
    "key: operator 1.*inputs": lambda h: h["programs"]["key"]["ops"][1].update(inputs=[0.5]),
    "no array": lambda h: h["programs"]["key"]["ops"][1]["tensors"].update(weight=1),
    "step 0.*lacks 'slot'": lambda h: h["programs"]["key"]["ops"][0]["steps"][0].pop("slot"),
    "unknown step": lambda h: h["programs"]["key"]["ops"][0]["steps"].append({"do": "explode"}),
    "its steps are no list": lambda h: h["programs"]["key"]["ops"][0].update(steps={}),
    "neither measures nor predicts": lambda h: h["programs"]["key"]["updates"].append(
        {"before_op": 0, "slot": 0}
    ),
    "a grid of 9 bits": lambda h: h["programs"]["key"]["updates"].append(measured(bits=9)),
    "measured range of grid 0": lambda h: h["programs"]["key"]["updates"].append(measured(source="nowhere")),
    "'grid' is 9999": lambda h: h["programs"]["key"]["updates"].append(measured(grid=9999)),
    "the shape": lambda h: next(iter(h["given"].values())).update(shape=[1, 2, 3, 4]),
    "which is no operator": lambda h: postprocessed(h, op="explode"),
    "two values have one name": lambda h: postprocessed(h, name=next(iter(h["given"]))),
    "y asks for": lambda h: postprocessed(
        h, op="resize", attributes={"mode": "nearest", "size": [10**5, 10**6]}
    ),
    "it has no outputs": lambda h: h["outputs"].clear(),
    "is no value of it": lambda h: h["outputs"].update(y="nowhere"),
}


def measured(**changes):
    return {"before_op": 0, "slot": 0, "measure": {"grid": 0, "bits": 8, "symmetric": False} | changes}


@pytest.mark.parametrize("message", DAMAGES)
def test_every_part_is_checked(saved, message):
    change(saved, DAMAGES[message])
    refused(saved, message)


def test_what_is_read_is_what_was_written(saved, tmp_path):
    plan = load_plan(saved)
    plan.save(tmp_path / "again.plan")
    with safe_open(saved, "np") as a, safe_open(tmp_path / "again.plan", "np") as b:
        assert a.metadata() == b.metadata() and set(a.keys()) == set(b.keys())
        for name in a.keys():  # noqa: SIM118
            assert np.array_equal(a.get_tensor(name), b.get_tensor(name))
    assert repr(plan) == f"<IntegerNetwork of small, w8a8: {len(plan.programs['key'].ops)} operators>"
