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

    monkeypatch.setattr("videoquant.torch_file.serialize", fail)
    with pytest.raises(vq.OutputError, match=r"[Nn]o space left"):
        vq.save(quantized, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["net.vq"]


def test_what_a_module_shares_is_stored_with_each_that_shares_it(tmp_path):
    """A module that is called twice is two layers with one weight."""
    torch.manual_seed(0)
    module = Twice()
    frames = [torch.rand(1, 3, 8, 8) for _ in range(4)]
    network = vq.capture(module, frames[0])
    for scheme in ("fp32", "w8a8", "w8a8->w4a4 T=2"):
        quantized = vq.quantize(network, scheme, frames)
        vq.save(quantized, tmp_path / "twice.vq")
        loaded = vq.load_quantized(tmp_path / "twice.vq")
        streams = quantized.stream(), loaded.stream()
        assert all(torch.equal(streams[0](frame), streams[1](frame)) for frame in frames)


class Twice(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.again = torch.nn.Conv2d(3, 4, 1), torch.nn.Conv2d(4, 4, 3, padding=1)
        self.slopes = torch.nn.PReLU(4)

    def forward(self, x):
        return self.slopes(self.again(self.slopes(self.again(self.first(x)))))


def change(path, edit):
    """The file again, with an edit of its header's JSON and of its tensors."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    header = json.loads(metadata["videoquant"])
    edit(header, tensors)
    save_file(tensors, path, metadata | {"videoquant": json.dumps(header)})


def node(header, name):
    return next(node for node in header["network"]["nodes"] if node["name"] == name)


def grid(header, frame=0):
    return next(pair[frame] for key, pair in header["grids"].items() if not key.startswith("x:"))


WRONG = {
    "node 'stem', conv2d, has no 'groups'": lambda h, t: node(h, "stem")["attributes"].pop("groups"),
    "node 'stem', stride is ": lambda h, t: node(h, "stem")["attributes"].update(stride=[1.5, 2]),
    "node 'stem', conv2d, cannot run on what it reads": lambda h, t: node(h, "stem")["attributes"].update(
        groups=3
    ),
    "node 'stem', groups is a huge number": lambda h, t: node(h, "stem")["attributes"].update(groups=10**40),
    "has the unknown operator 'Conv'": lambda h, t: node(h, "stem").update(op="Conv"),
    "node 'stem' reads 'nothing'": lambda h, t: node(h, "stem").update(inputs=["nothing"]),
    "its input asks for": lambda h, t: h["network"].update(input_shape=[1, 3, 2**20, 2**20]),
    "input_shape is": lambda h, t: h["network"].update(input_shape="large"),
    "preprocessing, scale is": lambda h, t: h["network"]["preprocessing"].update(scale=float("nan")),
    "weights of 'left': codes are torch.int8 of shape": lambda h, t: t.update(
        {"codes/residual/left": t["codes/residual/left"][:, :4].contiguous()}
    ),
    "weights of 'stem': codes of 8 bits must be": lambda h, t: t["codes/key/stem"].fill_(-128),
    "weights of 'stem': scales are torch.float64": lambda h, t: t.update(
        {"scale/key/stem": t["scale/key/stem"].double()}
    ),
    "weights of 'stem': a scale is nan": lambda h, t: t["scale/key/stem"].fill_(float("nan")),
    "weights of 'stem': a scale is 0": lambda h, t: t["scale/key/stem"].zero_(),
    "node 'stem' reads 'stem.weight', which does not exist": lambda h, t: h["weights"].pop("stem"),
    "weights of 'nobody', which is no layer": lambda h, t: h["weights"].update(nobody={}),
    "weights of 'left': codes of 3 bits for residual": lambda h, t: (
        h["weights"]["left"]["residual"].update(bits=3),
        t["codes/residual/left"].zero_(),
    ),
    "bias of layer 'stem' holds NaN": lambda h, t: t["float/stem.bias"].fill_(float("nan")),
    "tensor 'stem.bias' is of torch.float16": lambda h, t: t.update(
        {"float/stem.bias": t["float/stem.bias"].half()}
    ),
    "codes 0 to 255 with zero at 300": lambda h, t: grid(h).update(zero_point=300),
    "a scale is 0": lambda h, t: grid(h).update(scale=0.0),
    "codes 0 to 7 with zero": lambda h, t: grid(h).update(high=7),
    "are missing, or nothing is quantized there": lambda h, t: h["grids"].popitem(),
    "scheme: time, period is 2.5": lambda h, t: h["scheme"]["time"].update(period=2.5),
    "scheme: ranges is 'Uniform'": lambda h, t: h["scheme"]["ranges"].update(kind="Uniform"),
    "lacks 'network'": lambda h, t: h.pop("network"),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_a_file_says_is_checked_and_named(network, message, tmp_path):
    path = tmp_path / "net.vq"
    vq.save(vq.quantize(network, "w8a8->w4a4 T=3", moving_frames(9)), path)
    change(path, WRONG[message])
    with pytest.raises(vq.NetworkError) as caught:
        vq.load_quantized(path)
    assert message in str(caught.value) and str(caught.value).startswith(str(path))


PREDICTORS = {
    "predicted from 'nothing', which is not known by then": {"position": "nothing"},
    "predicted from the feature 'size', which is unknown": {"features": ["size"]},
    "slopes for 2 features": {"features": ["max", "min"]},
    "a predicted range between": {"highs": [2.0, 1.0]},
    "must reach from zero or below": {"lows": [0.5, 1.0]},
    "intercepts is a huge number": {"intercepts": 10**400},
}


@pytest.mark.parametrize("message", PREDICTORS)
def test_predictors_are_checked(network, message, tmp_path):
    path = tmp_path / "net.vq"
    vq.save(vq.quantize(network, "w8a8 qpp=5 at=first-relu", moving_frames(9)), path)

    def edit(header, tensors):
        stored = next(pair[0] for pair in header["grids"].values() if "predictor" in pair[0])
        stored["predictor"].update(PREDICTORS[message])

    change(path, edit)
    with pytest.raises(vq.NetworkError, match=message):
        vq.load_quantized(path)


def test_a_file_asks_for_no_more_than_the_limit(network, tmp_path):
    path = tmp_path / "net.vq"
    vq.save(vq.quantize(network, "w8a8", moving_frames(2)), path)
    with vq.size_limit(1e-6), pytest.raises(vq.NetworkError, match=r"asks for .* above the limit"):
        vq.load_quantized(path)
    with vq.size_limit(40e3 / 2**30):  # the file has 20 kB
        vq.load_quantized(path)
