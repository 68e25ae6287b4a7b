"""ESPCN, super-resolution that works at the low resolution and ends in a pixel shuffle.

Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
Neural Network, CVPR 2016, Section 3: layers (f, n) = (5, 64), (3, 32), (3, r²), tanh between them, luma in
and out. The authors released no weights. The layers are called conv1 to conv3; the names of two PyTorch
versions whose weights are public (yjn870/ESPCN-pytorch, Lornatang/ESPCN-PyTorch) are read as aliases.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from videoquant.models.base import Model, ModelConfig
from videoquant.network.preprocessing import Preprocessing

FRAME = (256, 448)  # height and width of Vimeo-90K, of which the input is the factor-th part


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """factor: r, how many times higher and wider the output is. channels: 1 for luma (Y of YCbCr / 255)."""

    factor: int
    channels: int = 1
    preprocessing: Preprocessing = field(
        default_factory=lambda: Preprocessing(
            mean=(0.0,), std=(1.0,), color="Y", fit="pad", task="super-resolution"
        )
    )


ESPCN_X2, ESPCN_X3, ESPCN_X4 = (
    Config(factor=factor, size=(FRAME[0] // factor, FRAME[1] // factor)) for factor in (2, 3, 4)
)


class ESPCN(Model):
    """N×channels×H×W → N×channels×rH×rW, in the units of the input and not clipped."""

    aliases = {  # noqa: RUF012 - a constant of the class
        "first_part.0": "conv1",
        "first_part.2": "conv2",
        "last_part.0": "conv3",
        "feature_maps.0": "conv1",
        "feature_maps.2": "conv2",
        "sub_pixel.0": "conv3",
    }

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.conv1 = nn.Conv2d(config.channels, 64, 5, padding=2)
        self.conv2 = nn.Conv2d(64, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, config.channels * config.factor**2, 3, padding=1)
        self.pixel_shuffle = nn.PixelShuffle(config.factor)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.conv2(torch.tanh(self.conv1(x))))
        picture: Tensor = self.pixel_shuffle(self.conv3(x))
        return picture
