"""ResNet-18 and ResNet-34, with torchvision's parameter names.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016, Table 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from videoquant.models.base import Model, ModelConfig, imagenet
from videoquant.models.blocks import BasicBlock
from videoquant.network.preprocessing import Preprocessing


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """blocks: residual blocks in each of the four stages."""

    blocks: tuple[int, int, int, int]
    size: tuple[int, int] = (224, 224)
    preprocessing: Preprocessing = field(default_factory=lambda: imagenet("classification"))
    num_classes: int = 1000


RESNET18 = Config(blocks=(2, 2, 2, 2))
RESNET34 = Config(blocks=(3, 4, 6, 3))


class ResNet(Model):
    """N×3×H×W → logits N×num_classes."""

    classes = "fc.weight"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(64, 64, config.blocks[0], 1)
        self.layer2 = _stage(64, 128, config.blocks[1], 2)
        self.layer3 = _stage(128, 256, config.blocks[2], 2)
        self.layer4 = _stage(256, 512, config.blocks[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, config.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # N×64×H/4×W/4
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # N×512×H/32×W/32
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


def _stage(channels: int, width: int, count: int, stride: int) -> nn.Sequential:
    first = BasicBlock(channels, width, stride)
    return nn.Sequential(first, *(BasicBlock(width, width) for _ in range(count - 1)))
