"""Every network has the published size and cost, can be captured, and runs under every kind of scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import videoquant as vq
from tests.networks import moving_frames
from videoquant.models.hrnet import W18_LANDMARKS, HRNet
from videoquant.models.registry import ENTRIES, Entry

NAMES = vq.models.names()


class Count:
    """What published figures are made of, from a pass on the meta device, where nothing is computed."""

    def __init__(self, build: Callable[[], nn.Module], run: Callable[[Any], Any]) -> None:
        with torch.device("meta"):
            module = build().eval()
        self.parameters = {name: p.numel() for name, p in module.named_parameters()}
        self.norms = 0  # parameters of batch norm outside the extra head
        self.products = self.biases = self.normalised = 0  # products, added biases, values of batch norms
        for name, layer in module.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                layer.register_forward_hook(self._add)
            if isinstance(layer, nn.BatchNorm2d) and not name.startswith("seghead_extra"):
                self.norms += 2 * layer.num_features
        run(module)

    def _add(self, layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        places = output.numel() // output.shape[1]
        if isinstance(layer, nn.BatchNorm2d):
            self.normalised += output.numel()
        else:
            assert isinstance(layer, nn.Conv2d | nn.Linear)
            self.products += places * layer.weight.numel()
            self.biases += 0 if layer.bias is None else output.numel()

    def total(self, without: str = "nothing") -> int:
        return sum(n for name, n in self.parameters.items() if not name.startswith(without))


def channels(name: str) -> int:
    return getattr(ENTRIES[name].config, "channels", 3)


@cache
def counted(name: str) -> Count:
    entry = ENTRIES[name]
    x = torch.empty(1, channels(name), *entry.config.size, device="meta")
    return Count(lambda: entry.build(entry.config), lambda module: module(x))


@cache
def published(name: str) -> tuple[float, float]:
    """Parameters and multiply–accumulates as the source counts them; see `Entry.note`."""
    if name.startswith("ddrnet"):
        count = counted(name)
        return count.total(without="seghead_extra") - count.norms, count.products + count.biases
    if name == "hrnet_w18_landmarks":
        x = torch.empty(1, 3, *W18_LANDMARKS.size, device="meta")
        count = Count(lambda: HRNet(W18_LANDMARKS, outputs=1), lambda module: module.features(x))
        return count.total(), count.products + count.normalised
    return counted(name).total(), counted(name).products


@pytest.mark.parametrize("name", [name for name in NAMES if ENTRIES[name].parameters])
def test_parameters_and_macs_are_the_published_ones(name: str) -> None:
    entry = ENTRIES[name]
    assert entry.parameters is not None and entry.macs is not None
    parameters, macs = published(name)
    assert f"{parameters / 1e6:.{_digits(entry.parameters)}f}" == entry.parameters
    assert f"{macs / entry.giga:.{_digits(entry.macs)}f}" == entry.macs


# Of all that `create` builds, whatever the source counts: (parameters, multiply–accumulates at config.size).
OURS = {
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "mobilenet_v2": (3_504_872, 300_774_272),
    "hrnet_w18_small_v1": (1_540_819, 33_390_854_144),
    "hrnet_w18_small_v2": (3_939_579, 76_856_885_248),
    "hrnet_w18_landmarks": (9_662_528, 4_693_650_432),
    "hrnet_w32_pose": (28_536_113, 7_645_003_776),
    "ddrnet23_slim": (5_734_342, 36_281_319_424),
    "ddrnet23": (20_299_366, 143_060_500_480),
    "ddrnet39": (32_660_838, 281_116_016_640),
    # By hand, per input pixel: 5·5·64 + 3·3·64·32 + 3·3·32·r² products, and 64 + 32 + r² biases.
    "espcn_x2": (1600 + 18432 + 288 * 4 + 64 + 32 + 4, 128 * 224 * (1600 + 18432 + 288 * 4)),
    "espcn_x3": (1600 + 18432 + 288 * 9 + 64 + 32 + 9, 85 * 149 * (1600 + 18432 + 288 * 9)),
    "espcn_x4": (1600 + 18432 + 288 * 16 + 64 + 32 + 16, 64 * 112 * (1600 + 18432 + 288 * 16)),
}


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_macs_are_those_in_the_documentation(name: str) -> None:
    assert (counted(name).total(), counted(name).products) == OURS[name]


def test_other_figures_count_batch_norm_too() -> None:
    """1.82 and 3.67 GMAC are often quoted for these networks: with a product per value of a batch norm."""
    for name, quoted in (("resnet18", "1.82"), ("resnet34", "3.67")):
        count = counted(name)
        assert f"{(count.products + count.normalised) / 1e9:.2f}" == quoted


# What torch.export takes long to follow is captured with fewer and narrower layers, from the same code; each
# family has a member in full.
SHRUNK: dict[str, dict[str, Any]] = {
    "hrnet_w18_small_v2": {"width": 8, "blocks": 1, "modules": (1, 1, 1), "first_blocks": 1},
    "hrnet_w18_landmarks": {"width": 8, "blocks": 1, "modules": (1, 1, 1), "first_blocks": 1},
    "hrnet_w32_pose": {"width": 8, "blocks": 1, "modules": (1, 1, 1), "first_blocks": 1},
    "ddrnet23": {"width": 8, "head": 8, "context": 8, "blocks": (1, 1, 1, 1)},
    "ddrnet39": {"width": 8, "head": 8, "context": 8, "blocks": (1, 1, 2, 1)},
}
SIZE = 32


@cache
def captured(name: str) -> tuple[vq.Network, list[Tensor]]:
    """A network, batch norms settled on frames as training would leave them, and frames to run it on."""
    entry = ENTRIES[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = _settled(entry, SHRUNK.get(name, {}), channels(name))
    frames = [frame[:, : channels(name)] for frame in moving_frames(8, SIZE)]
    network = vq.capture(module, frames[0], name=name, preprocessing=module.config.preprocessing)
    with torch.no_grad():
        torch.testing.assert_close(network(frames[1]), module(frames[1]), rtol=1e-4, atol=1e-4)
    return network, frames


def _settled(entry: Entry, changes: dict[str, Any], channels: int) -> vq.models.Model:
    module = entry.build(replace(entry.config, **changes)).train()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the average of all batches, of which there is one
    with torch.no_grad():
        module(torch.cat(moving_frames(8, 64, seed=1))[:, :channels])
    return module.eval()


@pytest.mark.parametrize("name", NAMES)
def test_capture_works_and_outputs_are_what_the_docstring_says(name: str) -> None:
    network, frames = captured(name)
    config, task = ENTRIES[name].config, ENTRIES[name].task
    if task == "super-resolution":
        side = SIZE * int(name[-1])
        expected: tuple[int, ...] = (1, 1, side, side)
    elif task == "classification":
        expected = (1, 1000)
    else:
        side = SIZE // (8 if name.startswith("ddrnet") else 4)
        assert config.num_classes is not None
        expected = (1, config.num_classes, side, side)
    assert network.shapes[network.outputs["output"]] == expected == network(frames[0]).shape
    assert list(network.outputs) == ["output"]  # the extra head belongs to training
    assert network.preprocessing.task == task


SCHEMES = ("w8a4 qpp", "w8a8->w4a4 T=3 ds=1%", "w8a8->w4a8 adaptive")


def error(name: str, scheme: str) -> float:
    """Squared error over the squared output, over a few frames; every output is finite."""
    network, frames = captured(name)
    calibration = frames if "qpp" in scheme else frames[:4]  # a prediction needs more samples than features
    quantized = vq.quantize(network, scheme if "ds=" in scheme else f"{scheme} minmax", calibration)
    pairs = [(network(frame), quantized(frame)) for frame in frames[1:4]]
    assert all(bool(torch.isfinite(output).all()) for _, output in pairs)
    return sum(float(((a - b) ** 2).sum()) for a, b in pairs) / sum(float((a**2).sum()) for a, _ in pairs)


@pytest.mark.parametrize("name", NAMES)
def test_eight_bits_are_nearer_to_floating_point_than_four(name: str) -> None:
    assert error(name, "w8a8") < 0.5 * error(name, "w4a4 dynamic")


@pytest.mark.filterwarnings("ignore:ESPCN:videoquant.errors.CalibrationWarning")
@pytest.mark.filterwarnings("ignore:espcn:videoquant.errors.CalibrationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_scheme_runs(name: str) -> None:
    for scheme in SCHEMES:
        assert error(name, scheme) < 1


def test_qpp_looks_where_the_paper_does() -> None:
    """The preset of HRNet names the start of each transition."""
    network, frames = captured("hrnet_w18_small_v1")
    quantized = vq.quantize(network, "qpp-hrnet-cityscapes", frames)
    assert bool(torch.isfinite(quantized(frames[0])).all())


def test_num_classes_can_be_chosen_where_there_are_classes() -> None:
    module = vq.models.create("ddrnet23_slim", num_classes=11)
    assert module.config.num_classes == 11
    assert module.state_dict()["final_layer.conv2.weight"].shape == (11, 64, 1, 1)
    with pytest.raises(vq.NetworkError, match="espcn_x2: it has no classes"):
        vq.models.create("espcn_x2", num_classes=3)
    with pytest.raises(vq.NetworkError, match="num_classes is 0; it must be at least 1"):
        vq.models.create("resnet18", num_classes=0)


def test_networks_come_in_eval_mode() -> None:
    assert not any(layer.training for layer in vq.models.create("espcn_x3").modules())
    assert vq.models.create("espcn_x3").config.size == (85, 149)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ddrnet23-slim", "'ddrnet23-slim': no such network; did you mean ddrnet23_slim"),
        ("ResNet-18", "'ResNet-18': no such network; did you mean resnet18"),
        ("vgg", "'vgg': no such network; known are resnet18, "),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(name: str, message: str) -> None:
    with pytest.raises(vq.NetworkError) as raised:
        vq.models.create(name)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def _digits(figure: str) -> int:
    return len(figure.partition(".")[2])
