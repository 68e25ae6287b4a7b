"""Checkpoints of every shape that releases have are read; what does not fit is refused whole."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import videoquant as vq
from videoquant.models.checkpoint import load_checkpoint, read_checkpoint
from videoquant.models.registry import ENTRIES


def weights(name: str) -> dict[str, Tensor]:
    """A checkpoint with numbers that no initialisation gives."""
    state = vq.models.create(name).state_dict()
    return {key: torch.full_like(tensor, 3) for key, tensor in state.items()}


def prefixed(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: tensor for key, tensor in state.items()}


ESPCN = weights("espcn_x2")
LOSS = {"loss.criterion.weight": torch.ones(19)}

WRAPPED: dict[str, Any] = {
    "plain": ESPCN,
    "state_dict": {"state_dict": ESPCN, "epoch": 3, "optimizer": {"state": {}, "lr": 0.1}},
    "nested": {"model": {"state_dict": ESPCN}},
    "DataParallel": prefixed("module.", ESPCN),
    "trainer with its loss": {**prefixed("model.", ESPCN), **LOSS},
    "all at once": {"state_dict": prefixed("module.", {**prefixed("model.", ESPCN), **LOSS})},
    "half precision": {key: tensor.half() for key, tensor in ESPCN.items()},
    "yjn870/ESPCN-pytorch": {
        key.replace("conv1", "first_part.0")
        .replace("conv2", "first_part.2")
        .replace("conv3", "last_part.0"): t
        for key, t in ESPCN.items()
    },
}


@pytest.mark.parametrize("form", WRAPPED)
def test_wrappers_are_taken_off(form: str, tmp_path: Path) -> None:
    torch.save(WRAPPED[form], tmp_path / "net.pth")
    state = vq.models.create("espcn_x2", checkpoint=tmp_path / "net.pth").state_dict()
    assert all(bool((tensor == 3).all()) and tensor.dtype == torch.float32 for tensor in state.values())


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(ESPCN, tmp_path / "net.safetensors")
    assert read_checkpoint(tmp_path / "net.safetensors").keys() == ESPCN.keys()


def test_the_counters_of_batch_norm_may_be_missing(tmp_path: Path) -> None:
    state = {key: t for key, t in weights("mobilenet_v2").items() if "num_batches_tracked" not in key}
    torch.save(state, tmp_path / "old.pth")
    model = vq.models.create("mobilenet_v2", checkpoint=tmp_path / "old.pth")
    assert bool((model.state_dict()["classifier.1.weight"] == 3).all())


def test_the_extra_head_of_training_may_be_missing_but_not_in_part(tmp_path: Path) -> None:
    state = weights("ddrnet23_slim")
    bare = {key: t for key, t in state.items() if not key.startswith("seghead_extra.")}
    torch.save(bare, tmp_path / "evaluation.pth")
    model = vq.models.create("ddrnet23_slim", checkpoint=tmp_path / "evaluation.pth")
    assert bool((model.state_dict()["final_layer.conv2.bias"] == 3).all())
    torch.save({**bare, "seghead_extra.bn1.weight": torch.ones(64)}, tmp_path / "part.pth")
    with pytest.raises(vq.NetworkError, match=r"10 missing \(seghead_extra.bn1.bias, "):
        vq.models.create("ddrnet23_slim", checkpoint=tmp_path / "part.pth")


def test_a_mismatch_names_the_keys_and_loads_nothing(tmp_path: Path) -> None:
    state = weights("espcn_x2")
    state["conv3.weight"] = torch.ones(9, 32, 3, 3)
    state["conv3.bias"] = torch.tensor(1.0)
    del state["conv1.bias"]
    state |= {f"extra.{letter}": torch.ones(1) for letter in "abcd"}
    torch.save(state, tmp_path / "net.pth")
    model = vq.models.create("espcn_x2")
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(vq.NetworkError) as raised:
        load_checkpoint(model, tmp_path / "net.pth")
    assert str(raised.value) == (
        f"{tmp_path / 'net.pth'}: does not fit ESPCN: 1 missing (conv1.bias), "
        "4 unexpected (extra.a, extra.b, extra.c, …), "
        "2 of another shape (conv3.weight (9×32×3×3, not 4×32×3×3), conv3.bias (a number, not 4)); "
        "nothing was loaded, check the network's name and num_classes"
    )
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


CLASSES = [name for name in vq.models.names() if ENTRIES[name].config.num_classes is not None]


@pytest.mark.parametrize("name", CLASSES)
def test_the_number_of_classes_is_that_of_the_checkpoint(name: str, tmp_path: Path) -> None:
    state = vq.models.create(name, num_classes=7).state_dict()
    half = {key: torch.full_like(t, 3, dtype=torch.half) for key, t in state.items()}
    torch.save({"state_dict": prefixed("module.", half)}, tmp_path / "net.pth")
    model = vq.models.create(name, checkpoint=tmp_path / "net.pth")
    assert model.config.num_classes == 7
    loaded = model.state_dict()
    assert {key: t.shape for key, t in loaded.items()} == {key: t.shape for key, t in state.items()}
    assert {key: t.dtype for key, t in loaded.items()} == {key: t.dtype for key, t in state.items()}
    assert all(bool((t == 3).all()) for t in loaded.values())


def test_a_contradicting_number_of_classes_is_a_mismatch(tmp_path: Path) -> None:
    torch.save(weights("resnet18"), tmp_path / "net.pth")
    with pytest.raises(vq.NetworkError, match=r"2 of another shape \(fc.weight \(1000×512, not 10×512\), "):
        vq.models.create("resnet18", checkpoint=tmp_path / "net.pth", num_classes=10)


@pytest.mark.parametrize("other", ["resnet34", "espcn_x2", "ddrnet23_slim"])
def test_a_checkpoint_of_another_network_is_a_mismatch(other: str, tmp_path: Path) -> None:
    torch.save(weights(other), tmp_path / "net.pth")
    with pytest.raises(vq.NetworkError, match=r"does not fit MobileNetV2: \d+ missing \(.*unexpected \("):
        vq.models.create("mobilenet_v2", checkpoint=tmp_path / "net.pth")


def test_a_last_layer_that_is_none_is_a_mismatch(tmp_path: Path) -> None:
    for last in (torch.tensor(1.0), torch.ones(0, 512)):
        torch.save({**weights("resnet18"), "fc.weight": last}, tmp_path / "net.pth")
        with pytest.raises(vq.NetworkError, match=r"1 of another shape \(fc.weight "):
            vq.models.create("resnet18", checkpoint=tmp_path / "net.pth")


def bad_files(folder: Path) -> dict[str, Path]:
    files = {
        "holds a argparse.Namespace besides tensors": folder / "objects.pth",
        "holds no parameters by name": folder / "numbers.pth",
        "holds no parameters by name; a checkpoint is": folder / "tensor.pth",
        "not a checkpoint of torch.save, or damaged": folder / "text.pth",
        "or damaged (": folder / "cut.pth",
        "not a safetensors file, or damaged": folder / "text.safetensors",
        "no such file": folder / "absent.pth",
    }
    torch.save({"state_dict": ESPCN, "args": argparse.Namespace(lr=1)}, folder / "objects.pth")
    torch.save({"epoch": 3}, folder / "numbers.pth")
    torch.save(torch.ones(3), folder / "tensor.pth")
    (folder / "text.pth").write_text("no pickle")
    torch.save(ESPCN, folder / "cut.pth")
    (folder / "cut.pth").write_bytes((folder / "cut.pth").read_bytes()[:900])
    (folder / "text.safetensors").write_text("no tensors")
    return files


def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path: Path) -> None:
    for message, path in bad_files(tmp_path).items():
        with pytest.raises(vq.NetworkError) as raised:
            vq.models.create("espcn_x2", checkpoint=path)
        assert str(raised.value).startswith(f"{path}: ") and message in str(raised.value)
        assert "\n" not in str(raised.value)


def test_nothing_in_a_checkpoint_runs(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": Runs()}, tmp_path / "evil.pth")
    with pytest.raises(vq.NetworkError):
        vq.models.create("espcn_x2", checkpoint=tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()
