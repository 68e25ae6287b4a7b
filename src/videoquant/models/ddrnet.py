"""DDRNet-23-slim, -23 and -39 for segmentation, with the parameter names of ydhongHIT/DDRNet.

Hong et al., Deep Dual-resolution Networks for Real-time and Accurate Semantic Segmentation of Road Scenes,
arXiv 2101.06085: one branch stays at 1/8 of the resolution, the other goes down to 1/64 and sees the context.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videoquant.models.base import Model, ModelConfig, imagenet
from videoquant.models.blocks import BasicBlock, Bottleneck, conv_norm
from videoquant.network.preprocessing import Preprocessing


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """The sizes of one variant.

    width: channels at 1/4 of the resolution.
    head: channels inside both heads.
    blocks: in layers 1 to 4.
    split: whether the branches meet twice in layer 3, whose blocks are then shared between "layer3_1" and
        "layer3_2" (DDRNet-39); its high-resolution branch has as many blocks, DDRNet-23's has two a layer.
    context: channels of a branch of the DAPPM.
    """

    width: int
    head: int
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    split: bool = False
    context: int = 128
    size: tuple[int, int] = (1024, 2048)
    preprocessing: Preprocessing = field(default_factory=lambda: imagenet("segmentation"))
    num_classes: int = 19


DDRNET23_SLIM = Config(width=32, head=64)
DDRNET23 = Config(width=64, head=128)
DDRNET39 = Config(width=64, head=256, blocks=(3, 4, 6, 3), split=True)


class DAPPM(nn.Module):
    """Deep aggregation pyramid pooling: context of five sizes, each fused with the next smaller one.

    N×channels×H×W → N×out×H×W.
    """

    def __init__(self, channels: int, width: int, out: int) -> None:
        super().__init__()
        pools = [nn.AvgPool2d(2 * stride + 1, stride, stride) for stride in (2, 4, 8)]
        self.scale0 = nn.Sequential(*_norm_conv(channels, width, 1))
        self.scale1, self.scale2, self.scale3, self.scale4 = (
            nn.Sequential(pool, *_norm_conv(channels, width, 1)) for pool in (*pools, nn.AdaptiveAvgPool2d(1))
        )
        self.process1, self.process2, self.process3, self.process4 = (
            nn.Sequential(*_norm_conv(width, width, 3)) for _ in range(4)
        )
        self.compression = nn.Sequential(*_norm_conv(5 * width, out, 1))
        self.shortcut = nn.Sequential(*_norm_conv(channels, out, 1))

    def forward(self, x: Tensor) -> Tensor:
        scales = [self.scale0(x)]
        wider = (self.scale1, self.scale2, self.scale3, self.scale4)
        fusions = (self.process1, self.process2, self.process3, self.process4)
        for scale, process in zip(wider, fusions, strict=True):
            scales.append(process(_resize(scale(x), x) + scales[-1]))
        y: Tensor = self.compression(torch.cat(scales, 1)) + self.shortcut(x)
        return y


class SegmentationHead(nn.Module):
    """Logits at the resolution of the features: N×channels×H×W → N×num_classes×H×W."""

    def __init__(self, channels: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.relu(self.bn1(x)))
        logits: Tensor = self.conv2(self.relu(self.bn2(x)))
        return logits


class DDRNet(Model):
    """N×3×H×W → logits N×num_classes×H/8×W/8; who reads them resizes them (bilinear, half-pixel centres).

    In training mode a tuple: these logits, and those of the extra head for deep supervision, the same shape.
    """

    classes = "final_layer.conv2.weight"
    training_only = ("seghead_extra.",)  # the release's evaluation model is built without it

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        width, blocks = config.width, config.blocks
        high = 2 * width  # channels of the branch at 1/8 of the resolution
        self.conv1 = nn.Sequential(*_stem(3, width), *_stem(width, width))
        self.relu = nn.ReLU()
        self.layer1 = _layer(width, width, blocks[0])
        self.layer2 = _layer(width, high, blocks[1], 2)
        for part, (name, count, high_count) in enumerate(_third_layer(config)):
            low = 4 * width if part else high
            self.add_module(f"layer{name}", _layer(low, 4 * width, count, 1 if part else 2))
            self.add_module(f"compression{name}", conv_norm(4 * width, high, 1))
            self.add_module(f"down{name}", conv_norm(high, 4 * width, 3, 2))
            self.add_module(f"layer{name}_", _layer(high, high, high_count))
        self.layer4 = _layer(4 * width, 8 * width, blocks[3], 2)
        self.compression4 = conv_norm(8 * width, high, 1)
        self.down4 = nn.Sequential(
            *conv_norm(high, 4 * width, 3, 2, relu=True), *conv_norm(4 * width, 8 * width, 3, 2)
        )
        self.layer4_ = _layer(high, high, blocks[3])
        self.layer5_ = nn.Sequential(Bottleneck(high, high, expansion=2, relu=False))
        self.layer5 = nn.Sequential(Bottleneck(8 * width, 8 * width, 2, expansion=2, relu=False))
        self.spp = DAPPM(16 * width, config.context, 4 * width)
        self.seghead_extra = SegmentationHead(high, config.head, config.num_classes)
        self.final_layer = SegmentationHead(4 * width, config.head, config.num_classes)
        self.meetings = [name for name, _, _ in _third_layer(config)] + ["4"]

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = self.layer2(self.relu(self.layer1(self.conv1(x))))  # N×2·width×H/8×W/8, where the branches part
        high = early = x
        for name in self.meetings:
            early = high
            x, high = self._meet(name, x, high)
        high = self.layer5_(self.relu(high))
        x = self.spp(self.layer5(self.relu(x)))  # N×4·width×H/64×W/64
        logits: Tensor = self.final_layer(_resize(x, high) + high)
        return (logits, self.seghead_extra(early)) if self.training else logits

    def _meet(self, name: str, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """One layer of both branches, then each takes in the other. (The paper: bilateral fusion.)"""
        low = self.get_submodule(f"layer{name}")(self.relu(low))
        high = self.get_submodule(f"layer{name}_")(self.relu(high))
        down = self.get_submodule(f"down{name}")(self.relu(high))
        up = self.get_submodule(f"compression{name}")(self.relu(low))
        return low + down, high + _resize(up, high)


def _third_layer(config: Config) -> list[tuple[str, int, int]]:
    """The parts of layer 3: name, blocks of the low-resolution branch and of the high-resolution one."""
    if config.split:
        half = config.blocks[2] // 2
        return [("3_1", half, half), ("3_2", half, half)]
    return [("3", config.blocks[2], 2)]


def _layer(channels: int, width: int, count: int, stride: int = 1) -> nn.Sequential:
    """Basic blocks, of which the last has no ReLU: the branches exchange what stands before it."""
    first = BasicBlock(channels, width, stride)
    rest = (BasicBlock(width, width, relu=block < count - 1) for block in range(1, count))
    return nn.Sequential(first, *rest)


def _stem(channels: int, out: int) -> list[nn.Module]:
    """Half the resolution; the only convolutions that have a bias besides their batch norm."""
    return [nn.Conv2d(channels, out, 3, 2, 1), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]


def _norm_conv(channels: int, out: int, kernel: int) -> list[nn.Module]:
    """Batch norm and ReLU before the convolution, as in the DAPPM and the heads."""
    conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), conv]


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)
