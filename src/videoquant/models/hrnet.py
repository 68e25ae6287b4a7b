"""HRNet with the heads for segmentation, facial landmarks and pose, and the parameter names of its releases.

Sun et al., Deep High-Resolution Representation Learning for Human Pose Estimation, CVPR 2019 (HRNet: pose),
and High-Resolution Representations for Labeling Pixels and Regions, arXiv 1904.04514 (HRNetV2: segmentation,
landmarks). Releases: HRNet/HRNet-Semantic-Segmentation (branch pytorch-v1.1), HRNet/HRNet-Facial-Landmark-
Detection, leoxiaobin/deep-high-resolution-net.pytorch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videoquant.models.base import Model, ModelConfig, imagenet
from videoquant.models.blocks import BasicBlock, Bottleneck, conv_norm
from videoquant.network.preprocessing import Preprocessing

STEM = 64  # channels of the first two convolutions

Upsampling = Literal["bilinear", "nearest"]


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """The release's configuration file.

    width: channels of the branch at 1/4 of the resolution; each branch below has twice as many.
    first_blocks, first_width: bottlenecks of stage 1 and their inner channels.
    modules: exchange modules in stages 2, 3 and 4.
    blocks: basic blocks per branch and module.
    """

    width: int
    first_blocks: int = 4
    first_width: int = 64
    modules: tuple[int, int, int] = (1, 4, 3)
    blocks: int = 4


@dataclass(frozen=True, kw_only=True)
class SegmentationConfig(Config):
    """Cityscapes: 19 classes."""

    blocks: int = 2
    size: tuple[int, int] = (1024, 2048)
    preprocessing: Preprocessing = field(default_factory=lambda: imagenet("segmentation"))
    num_classes: int = 19


@dataclass(frozen=True, kw_only=True)
class LandmarkConfig(Config):
    """WFLW: 98 landmarks; 68 for 300W, 29 for COFW."""

    size: tuple[int, int] = (256, 256)
    preprocessing: Preprocessing = field(default_factory=lambda: imagenet("landmarks"))
    num_classes: int = 98


@dataclass(frozen=True, kw_only=True)
class PoseConfig(Config):
    """COCO: 17 joints."""

    size: tuple[int, int] = (256, 192)
    preprocessing: Preprocessing = field(default_factory=lambda: imagenet("pose"))
    num_classes: int = 17


W18_SMALL_V1 = SegmentationConfig(width=16, first_blocks=1, first_width=32, modules=(1, 1, 1))
W18_SMALL_V2 = SegmentationConfig(width=18, first_blocks=2, modules=(1, 3, 2))
W18_LANDMARKS = LandmarkConfig(width=18)
W32_POSE = PoseConfig(width=32)


class Exchange(nn.Module):
    """Parallel branches, then every branch takes in all others.

    Branch i: N×width·2ⁱ×H/2ⁱ×W/2ⁱ, in and out; only the first `outputs` branches come out.
    upsampling: how a lower branch reaches a higher one.
    """

    def __init__(self, width: int, branches: int, blocks: int, outputs: int, upsampling: Upsampling) -> None:
        super().__init__()
        channels = [width << branch for branch in range(branches)]
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(n, n) for _ in range(blocks))) for n in channels
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleDict({str(j): _path(channels, j, i) for j in range(branches) if j != i})
            for i in range(outputs)
        )
        self.relu = nn.ReLU(inplace=True)
        self.upsampling = upsampling

    def forward(self, values: list[Tensor]) -> list[Tensor]:
        values = [branch(x) for branch, x in zip(self.branches, values, strict=True)]
        return [self.relu(self._fuse(i, values)) for i in range(len(self.fuse_layers))]

    def _fuse(self, i: int, values: list[Tensor]) -> Tensor:
        terms = []
        for j, x in enumerate(values):
            if j != i:
                x = self.fuse_layers[i].get_submodule(str(j))(x)
            terms.append(_resize(x, values[i], self.upsampling) if j > i else x)
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total


class HRNet(Model):
    """The body: N×3×H×W → features at 1/4, 1/8, 1/16 and 1/32 of the resolution.

    outputs: how many of them the head needs.
    upsampling: of its exchange modules.
    """

    def __init__(self, config: Config, *, outputs: int = 4, upsampling: Upsampling = "bilinear") -> None:
        super().__init__(config)
        width, first = config.width, 4 * config.first_width
        self.conv1 = nn.Conv2d(3, STEM, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.conv2 = nn.Conv2d(STEM, STEM, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(STEM)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(
            Bottleneck(STEM, config.first_width),
            *(Bottleneck(first, config.first_width) for _ in range(config.first_blocks - 1)),
        )
        self.transition1 = nn.ModuleDict(
            {"0": conv_norm(first, width, 3, relu=True), "1": _new_branch(first, 2 * width)}
        )
        self.stage2 = _stage(config, 2, 2, upsampling)
        self.transition2 = nn.ModuleDict({"2": _new_branch(2 * width, 4 * width)})
        self.stage3 = _stage(config, 3, 3, upsampling)
        self.transition3 = nn.ModuleDict({"3": _new_branch(4 * width, 8 * width)})
        self.stage4 = _stage(config, 4, outputs, upsampling)

    def features(self, x: Tensor) -> list[Tensor]:
        """The branches after stage 4: value i is N×width·2ⁱ×H/2ⁱ⁺²×W/2ⁱ⁺²."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer1(self.relu(self.bn2(self.conv2(x))))
        values: list[Tensor] = self.stage2([self.transition1["0"](x), self.transition1["1"](x)])
        values = self.stage3([*values, self.transition2["2"](values[-1])])
        values = self.stage4([*values, self.transition3["3"](values[-1])])
        return values


class SegmentationHRNet(HRNet):
    """N×3×H×W → logits N×num_classes×H/4×W/4; who reads them resizes them (bilinear, half-pixel centres)."""

    classes = "last_layer.3.weight"

    def __init__(self, config: SegmentationConfig) -> None:
        super().__init__(config)
        self.last_layer = _mixing_head(config.width, config.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last_layer(_joined(self.features(x)))
        return logits


class LandmarkHRNet(HRNet):
    """N×3×H×W → heatmaps N×num_classes×H/4×W/4, one per landmark."""

    classes = "head.3.weight"

    def __init__(self, config: LandmarkConfig) -> None:
        super().__init__(config)
        self.head = _mixing_head(config.width, config.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        heatmaps: Tensor = self.head(_joined(self.features(x)))
        return heatmaps


class PoseHRNet(HRNet):
    """N×3×H×W → heatmaps N×num_classes×H/4×W/4, one per joint, from the highest branch alone (HRNet V1)."""

    classes = "final_layer.weight"

    def __init__(self, config: PoseConfig) -> None:
        super().__init__(config, outputs=1, upsampling="nearest")
        self.final_layer = nn.Conv2d(config.width, config.num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        heatmaps: Tensor = self.final_layer(self.features(x)[0])
        return heatmaps


def _stage(config: Config, stage: int, outputs: int, upsampling: Upsampling) -> nn.Sequential:
    """The exchange modules of stage 2, 3 or 4, which has as many branches; `outputs` counts for the last."""
    count = config.modules[stage - 2]
    return nn.Sequential(
        *(
            Exchange(config.width, stage, config.blocks, outputs if last else stage, upsampling)
            for last in (module == count - 1 for module in range(count))
        )
    )


def _path(channels: list[int], source: int, target: int) -> nn.Sequential:
    """From one branch to another: a 1×1 upwards, a 3×3 of stride 2 per step downwards, no ReLU at the end."""
    if source > target:
        return conv_norm(channels[source], channels[target], 1)
    n = channels[source]
    steps = [conv_norm(n, n, 3, 2, relu=True) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, conv_norm(n, channels[target], 3, 2))


def _new_branch(channels: int, out: int) -> nn.Sequential:
    """The start of a branch at half the resolution; nested, because releases allow for several steps."""
    return nn.Sequential(conv_norm(channels, out, 3, 2, relu=True))


def _mixing_head(width: int, num_classes: int) -> nn.Sequential:
    """HRNetV2's head over all four branches: two 1×1 convolutions."""
    channels = 15 * width
    return nn.Sequential(
        nn.Conv2d(channels, channels, 1),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, num_classes, 1),
    )


def _joined(values: list[Tensor]) -> Tensor:
    """All branches at the resolution of the highest: N×15·width×H×W."""
    return torch.cat([values[0], *(_resize(x, values[0], "bilinear") for x in values[1:])], 1)


def _resize(x: Tensor, like: Tensor, mode: Upsampling) -> Tensor:
    corners = False if mode == "bilinear" else None
    return F.interpolate(x, like.shape[-2:], mode=mode, align_corners=corners)
