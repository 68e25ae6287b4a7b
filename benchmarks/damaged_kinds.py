"""The kinds of files that `damaged_files.py` damages: how whole ones are made, damaged, and read.

A new kind is a `Kind` in `KINDS`. `use` does with the file what a user does, as far as a few frames; it takes
whatever the file says, so that everything read from it is met.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import videoquant as vq
from benchmarks.damages import damage_tensors
from videoquant.engine import load_plan, lower


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


def use_plan(path: Path) -> None:
    plan = load_plan(path)
    stream = plan.stream("frame" if "->" in str(plan.scheme) or "ds=" in str(plan.scheme) else "exact")
    for frame in clip(4):
        stream(frame)


KINDS = {
    "plan": Kind("plan", whole_plans, lambda data, random: damage_tensors(data, random, "plan"), use_plan),
}
