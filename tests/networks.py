"""Small networks that the tests quantize."""

import copy
import itertools
from functools import cache

import torch
from torch import nn

import videoquant as vq
from videoquant.calibration import calibrate, calibration_pass


class Block(nn.Module):
    """A residual block with a squeeze-and-excite gate, and two layers that read one value."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.gate = nn.Conv2d(channels, channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm(self.depthwise(x)))
        gate = torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        return x + self.project(y) * gate


class Small(nn.Module):
    """3×H×W → a map 4×H×W and a vector of 5, through every kind of layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.block = Block(8)
        self.left = nn.Conv2d(8, 4, 1)
        self.right = nn.Conv2d(8, 4, 1)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.classify = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = self.block(torch.relu(self.stem(x)))
        both = torch.cat([self.left(y), self.right(y)], 1)
        return {"map": self.up(torch.relu(both)), "scores": self.classify(both.mean((2, 3)))}


def small_network(size: int = 16, seed: int = 0) -> vq.Network:
    """`Small` with random weights and batch-norm statistics, captured; each call gives one of its own."""
    return copy.deepcopy(_captured(size, seed))


@cache
def _captured(size: int, seed: int) -> vq.Network:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = Small().eval()
        module.block.norm.running_mean.uniform_(-0.5, 0.5)
        module.block.norm.running_var.uniform_(0.5, 2)
        return vq.capture(module, (torch.randn(1, 3, size, size),), name="small")


def moving_frames(count: int, size: int = 16, seed: int = 0) -> list[torch.Tensor]:
    """Inputs 1×3×size×size of a scene in which a part moves a little from frame to frame."""
    generator = torch.Generator().manual_seed(seed)
    scene = torch.rand(1, 3, size, size, generator=generator)
    frames = []
    for _ in range(count):
        scene = scene.clone()
        scene[..., : size // 2, :] += 0.1 * torch.randn(1, 3, size // 2, size, generator=generator)
        frames.append(scene)
    return frames


def frame_codes_by_turns(monkeypatch) -> None:
    """Let calibration give every other quantizer the frame's own codes on residual frames."""
    turns = itertools.cycle([False, True])
    monkeypatch.setattr(calibration_pass, "frame_codes_are_better", lambda *_: next(turns))
    monkeypatch.setattr(calibrate, "residuals_are_closer", lambda *_: False)
