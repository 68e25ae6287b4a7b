"""Saved and loaded equals unsaved; what is not ours is refused; nothing is half-written."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import videoquant as vq
from tests.networks import moving_frames, small_network

SCHEMES = [
    "fp32",
    "w8a8",
    "w4a4 head=fp",
    "w8a32",
    "w32a8->w4a4 T=2",
    "w8a8->w32a8 T=2",
    "w8a8->w4a4 T=3",
    "w8a8->w8a4 T=3 recurrent",
    "w8a8->w4a8 T=3 adaptive tau=1",
    "w8a8 dynamic quantile=0.999",
    "w4a4->w2a2 T=2 per-tensor minmax",
    "w8a4 asymmetric aciq",
    "w8a4 ds=1%",
    "w8a8->w4a4 T=2 ds=3% dynamic",
]


@pytest.fixture(scope="module")
def network():
    return small_network()


@pytest.mark.parametrize("text", SCHEMES)
def test_loaded_equals_unsaved(network, text, tmp_path):
    frames = moving_frames(9)
    quantized = vq.quantize(network, text, frames)
    vq.save(quantized, tmp_path / "net.vq")
    loaded = vq.load_quantized(tmp_path / "net.vq")
    assert loaded.scheme == quantized.scheme
    assert loaded.network.nodes == network.nodes
    assert loaded.network.preprocessing == network.preprocessing
    for frame in frames:
        a, b = quantized(frame), loaded(frame)
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_files_in_which_the_groups_of_an_upsampling_share_scales_are_read(tmp_path):
    """Their scales were one per output channel of a group: those of all groups now."""
    frames = [torch.rand(1, 6, 8, 8) for _ in range(2)]
    network = vq.capture(torch.nn.ConvTranspose2d(6, 4, 2, stride=2, groups=2), frames[0])
    quantized = vq.quantize(network, "w8a8", frames)
    ((name, weights),) = quantized.weights.items()
    shared = weights.key.with_scale(torch.tensor([0.1, 0.2]))
    quantized.weights[name] = replace(weights, key=shared)
    vq.save(quantized, tmp_path / "old.vq")
    codes = vq.load_quantized(tmp_path / "old.vq").weights[name].key
    assert torch.equal(codes.scale, torch.tensor([0.1, 0.2, 0.1, 0.2]))
    assert torch.equal(codes.values, codes.codes * torch.tensor([0.1, 0.2]).view(1, 2, 1, 1))


def test_the_file_holds_codes_and_no_pickle(network, tmp_path):
    path = tmp_path / "net.vq"
    vq.save(vq.quantize(network, "w8a8->w4a4 T=3", moving_frames(9)), path)
    with safe_open(path, "pt") as file:
        names = set(file.keys())
        assert file.get_tensor("codes/key/stem").dtype == torch.int8
        assert int(file.get_tensor("codes/residual/left").abs().max()) <= 7
        header = json.loads(file.metadata()["videoquant"])
    assert "float/stem.weight" not in names and "float/stem.bias" in names
    assert vq.Scheme.from_dict(header["scheme"]) == vq.Scheme.parse("w8a8->w4a4 T=3")


def test_what_is_not_a_quantized_network_is_refused(network, tmp_path):
    good = tmp_path / "net.vq"
    vq.save(vq.quantize(network, "w8a8", moving_frames(2)), good)
    data = good.read_bytes()
    cases = {"cut.vq": data[: len(data) // 2], "empty.vq": b"", "text.vq": b"hello", "noise.vq": data[::-1]}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
    save_file({"x": torch.zeros(1)}, tmp_path / "other.vq")
    for name in [*cases, "other.vq", "absent.vq"]:
        with pytest.raises(vq.NetworkError) as caught:
            vq.load_quantized(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)


def test_another_format_version_is_refused(network, tmp_path):
    save_file({}, tmp_path / "new.vq", {"format": "videoquant", "videoquant": json.dumps({"version": 99})})
    with pytest.raises(vq.NetworkError, match="written in format 99"):
        vq.load_quantized(tmp_path / "new.vq")


def test_a_failed_write_leaves_the_old_file(network, tmp_path, monkeypatch):
    path = tmp_path / "net.vq"
    quantized = vq.quantize(network, "w8a8", moving_frames(2))
    vq.save(quantized, path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("videoquant.storage.serialize", fail)
    with pytest.raises(vq.OutputError, match=r"[Nn]o space left"):
        vq.save(quantized, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["net.vq"]
