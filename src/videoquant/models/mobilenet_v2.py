"""MobileNetV2, with torchvision's parameter names: a classifier, and the policy network of VideoIQ.

Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018, Table 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from videoquant.models.base import Model, ModelConfig, imagenet
from videoquant.network.preprocessing import Preprocessing


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """The paper's Table 2.

    stages: (expansion t, channels c, repeats n, stride s of the first) of each row of bottlenecks.
    stem, last: channels of the first and the last convolution.
    dropout: before the classifier, in training.
    """

    stages: tuple[tuple[int, int, int, int], ...] = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    stem: int = 32
    last: int = 1280
    dropout: float = 0.2
    size: tuple[int, int] = (224, 224)
    preprocessing: Preprocessing = field(default_factory=lambda: imagenet("classification"))
    num_classes: int = 1000


MOBILENET_V2 = Config()


class InvertedResidual(nn.Module):
    """1×1 expansion, 3×3 depthwise, 1×1 linear projection; a skip connection where the shapes allow it.

    N×channels×H×W → N×out×H/stride×W/stride.
    """

    def __init__(self, channels: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_conv(channels, hidden, 1)]
        layers += [_conv(hidden, hidden, 3, stride, groups=hidden)]
        layers += [nn.Conv2d(hidden, out, 1, bias=False), nn.BatchNorm2d(out)]
        self.conv = nn.Sequential(*layers)
        self.skips = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.skips else y


class MobileNetV2(Model):
    """N×3×H×W → logits N×num_classes."""

    classes = "classifier.1.weight"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        features: list[nn.Module] = [_conv(3, config.stem, 3, 2)]
        channels = config.stem
        for expansion, out, repeats, stride in config.stages:
            for repeat in range(repeats):
                features.append(InvertedResidual(channels, out, 1 if repeat else stride, expansion))
                channels = out
        features.append(_conv(channels, config.last, 1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(config.last, config.num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x).mean((2, 3))  # N×last
        logits: Tensor = self.classifier(x)
        return logits


def _conv(channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU6(inplace=True))
