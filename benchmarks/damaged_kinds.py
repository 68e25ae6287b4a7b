"""The kinds of files that `damaged_files.py` damages: how whole ones are made, damaged, and read.

A new kind is a `Kind` in `KINDS`. `use` does with the file what a user does, as far as a few frames; it takes
whatever the file says, so that everything read from it is met.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import videoquant as vq
from benchmarks.damaged_onnx import damage_onnx, use_onnx
from benchmarks.damages import damage_header, damage_lines, damage_tensors, damage_zip
from videoquant.costs.chip_file import open_chip
from videoquant.costs.simulator import scheme_cost
from videoquant.costs.workload import workload
from videoquant.engine import load_plan, lower
from videoquant.network.onnx_writer import write_onnx
from videoquant.training import policy_file
from videoquant.training.policy_file import build, load_policy, save_policy
from videoquant.training.recipe import Recipe
from videoquant.training.state import Progress, load_state, save_state
from videoquant.training.trainer import optimizer_for


@dataclass(frozen=True)
class Kind:
    """suffix: of the files. make: whole ones, in a folder of its own. damage: as in `damages.py`."""

    suffix: str
    make: Callable[[Path], list[bytes]]
    damage: Callable[[bytes, Random], tuple[bytes, str]]
    use: Callable[[Path], None]


class Network(nn.Module):
    """Small, with most of what networks for vision have."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.depthwise = nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.wide = nn.Conv2d(8, 16, 1)
        self.block = nn.Conv2d(16, 16, 3, 1, 1)
        self.gate = nn.Conv2d(16, 16, 1)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.slopes = nn.PReLU(8)
        self.mask = nn.Conv2d(8, 2, 1)
        self.classes = nn.Linear(16, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 1, 1)
        x = F.hardswish(self.wide(F.relu6(self.depthwise(x))))
        x = x + F.silu(self.block(x))
        x = x * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(x, 1)))
        half = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2.0, mode="bilinear")
        mask = self.mask(self.slopes(self.up(F.pad(torch.cat([half, x], 1)[:, 8:24], (0, 0, 0, 0)))))
        return torch.softmax(mask, 1), self.classes(x.mean((2, 3)))


SCHEMES = ("w8a8", "w8a8 qpp", "w8a8 dynamic", "w8a8->w4a4 T=3", "w8a8 ds=1%", "w4a32")


def clip(count: int = 48) -> list[np.ndarray]:
    """Frames 24×32 in which a square moves."""
    random = np.random.default_rng(0)
    background = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    frames = [background.copy() for _ in range(count)]
    for i, frame in enumerate(frames):
        frame[6:14, i % 24 : i % 24 + 8] = random.integers(0, 256, (8, 8, 3))
    return frames


def network() -> vq.Network:
    torch.manual_seed(0)
    preprocessing = vq.Preprocessing(task="segmentation")
    return vq.capture(Network().eval(), torch.rand(1, 3, 24, 32), name="small", preprocessing=preprocessing)


def whole_plans(folder: Path) -> list[bytes]:
    small, frames = network(), clip()
    for number, scheme in enumerate(SCHEMES):
        lower(vq.quantize(small, scheme, frames)).save(folder / f"{number}.plan")
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def whole_onnx(folder: Path) -> list[bytes]:
    write_onnx(network(), folder / "small.onnx")
    return [(folder / "small.onnx").read_bytes()]


def use_plan(path: Path) -> None:
    plan = load_plan(path)
    stream = plan.stream("frame" if "->" in str(plan.scheme) or "ds=" in str(plan.scheme) else "exact")
    for frame in clip(4):
        stream(frame)


def whole_networks(folder: Path) -> list[bytes]:
    small, frames = network(), clip()
    for number, scheme in enumerate((*SCHEMES, "w8a8 asymmetric", "w8a32->w4a8 T=2 recurrent")):
        vq.save(vq.quantize(small, scheme, frames), folder / f"{number}.vq")
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def use_network(path: Path) -> None:
    quantized = vq.load_quantized(path)
    stream = quantized.stream()
    for frame in clip(4):
        stream(frame)
    vq.save(quantized, path.with_suffix(".again"))
    lower(quantized).stream()(clip(1)[0])


# What a chip's file may have in the place of a number, or of a line.
TOML = ["0", "-1", "1e400", "nan", "-inf", "1e-320", "1e308", "true", '"x"', "[]", "[1, 2]", "[0, 0]", "{}"]
TOML += ["1" + "0" * 400, "1" + "0" * 5000, "[" * 3000, "1979-05-27", '"\\ud800"', '"\ud800"', "[energy]"]
TOML += ["w99a1 = 1", "w" + "9" * 5000 + "a1 = 1", "w1a1 = 1e-300", "w\u0663a4 = 1", "sparse_cost = 0"]


def whole_chips(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted((Path(vq.__file__).parent / "costs/chips").glob("*.toml"))]


def use_chip(path: Path) -> None:
    chip = open_chip(str(path))
    for scheme in ("fp32", "w8a8", "w8a8->w4a4 T=3", "w4a4 ds=1%"):
        scheme_cost(chip, WORK, vq.Scheme.parse(scheme))


def training() -> tuple[nn.Module, nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    return module, copy.deepcopy(module), optimizer_for(module, Recipe(epochs=1, batch=1, crop=(8, 8)))


def learn(module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    module(torch.ones(2, 3, 8, 8)).square().mean().backward()
    optimizer.step()


def whole_trainings(folder: Path) -> list[bytes]:
    module, average, optimizer = training()
    learn(module, optimizer)
    progress = Progress(1, 0.5, [{"epoch": 1, "loss": 0.7, "learning_rate": 0.1}])
    save_state(folder / "state", SETUP, progress, module, average, optimizer)
    return [(folder / "state").read_bytes()]


def use_training(path: Path) -> None:
    module, average, optimizer = training()
    load_state(path, SETUP, module, average, optimizer)
    learn(module, optimizer)


def whole_policies(folder: Path) -> list[bytes]:
    save_policy(folder / "policy", build(2, (32, 32)), CHOICES)
    return [(folder / "policy").read_bytes()]


def use_policy(path: Path) -> None:
    load_policy(path, CHOICES).stream()(clip(1)[0])


def whole_checkpoints(folder: Path) -> list[bytes]:
    torch.save(vq.models.create("espcn_x2").state_dict(), folder / "new")
    return [(folder / "new").read_bytes()]


# Of few layers, as a file is captured anew each time it is read.
STAGES = ((1, 8, 1, 1), (6, 12, 1, 2))
policy_file.MOBILENET_V2 = replace(policy_file.MOBILENET_V2, stages=STAGES, stem=8, last=16)
SETUP = {"network": "small", "recipe": {"seed": 0}}
WORK = workload(network())
CHOICES = [vq.quantize(network(), scheme, clip(4)) for scheme in ("w8a8", "w4a4")]
KINDS = {
    "onnx": Kind("onnx", whole_onnx, damage_onnx, use_onnx),
    "plan": Kind("plan", whole_plans, partial(damage_tensors, key="plan"), use_plan),
    "vq": Kind("vq", whole_networks, partial(damage_tensors, key="videoquant"), use_network),
    "chip": Kind("toml", whole_chips, partial(damage_lines, values=TOML), use_chip),
    "training": Kind("safetensors", whole_trainings, partial(damage_tensors, key="training"), use_training),
    "policy": Kind("policy", whole_policies, damage_header, use_policy),
    "checkpoint": Kind("pth", whole_checkpoints, damage_zip, lambda path: vq.models.create("espcn_x2", path)),
}
