"""The residual blocks that ResNet, HRNet and DDRNet share, with the parameter names of their releases.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016, Figures 2 and 5.
"""

from __future__ import annotations

from torch import Tensor, nn


def conv_norm(channels: int, out: int, kernel: int, stride: int = 1, *, relu: bool = False) -> nn.Sequential:
    """A convolution without bias ("0"), its batch norm ("1") and, if asked for, a ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out),
    ]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


def shortcut(channels: int, out: int, stride: int) -> nn.Sequential | None:
    """What the skip connection needs to fit: a 1×1 projection, or nothing."""
    return None if stride == 1 and channels == out else conv_norm(channels, out, 1, stride)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a skip connection: N×channels×H×W → N×width×H/stride×W/stride.

    relu: whether a ReLU ends the block; DDRNet's branches exchange what stands before it.
    """

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int = 1, *, relu: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut(channels, width, stride)
        self.ends_in_relu = relu

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        total: Tensor = y + (x if self.downsample is None else self.downsample(x))
        if self.ends_in_relu:
            total = self.relu(total)
        return total


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions and a skip connection; the output has width · expansion channels.

    expansion: 4 in ResNet and HRNet, 2 in DDRNet.
    relu: whether a ReLU ends the block.
    """

    def __init__(
        self, channels: int, width: int, stride: int = 1, *, expansion: int = 4, relu: bool = True
    ) -> None:
        super().__init__()
        out = width * expansion
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(channels, out, stride)
        self.ends_in_relu = relu

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        total: Tensor = y + (x if self.downsample is None else self.downsample(x))
        if self.ends_in_relu:
            total = self.relu(total)
        return total
