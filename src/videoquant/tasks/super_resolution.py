"""Super-resolution: the upscaled picture and its peak signal-to-noise ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from videoquant.network.graph import Network
from videoquant.network.preprocessing import Preprocessing
from videoquant.network.ycbcr import chroma, rgb
from videoquant.tasks.base import Agreement, Measure, Task, one, pair

PSNR = Measure("psnr", "PSNR", "dB", digits=2)
PSNR_CAP = 100.0  # dB, for pictures that are equal or nearly so


@dataclass(frozen=True)
class SuperResolution(Task):
    """A larger picture, from one output 1×3×H×W, or luma 1×1×H×W, in the units of the network's input."""

    name: ClassVar[str] = "super-resolution"

    @classmethod
    def of(cls, network: Network) -> SuperResolution | None:
        """The task by the first output that is a picture no smaller than the input; None where none is.

        A picture has three channels, or one where the network's color is Y.
        """
        for output, value in network.outputs.items():
            shape = network.shapes[value]
            if (
                len(shape) == 4
                and shape[1] == network.preprocessing.channels
                and shape[2] >= network.size[0]
                and shape[3] >= network.size[1]
            ):
                return cls(output, network.size, network.preprocessing)
        return None

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (PSNR,)

    def agreement(self) -> Agreement:
        return PictureAgreement(self.primary, self.preprocessing)

    def draw(self, pixels: NDArray[np.uint8], outputs: dict[str, Tensor]) -> NDArray[np.uint8]:
        """The upscaled picture, uint8 RGB; black where it is not finite.

        Of a luma network: its Y with the frame's Cb and Cr, upscaled by bicubic interpolation.
        """
        picture = self.picture(pixels, outputs)
        if picture.ndim == 3:
            return picture
        height, width = picture.shape
        planes = np.moveaxis(chroma(pixels).astype(np.float32), -1, 0)
        enlarged = (Image.fromarray(p).resize((width, height), Image.Resampling.BICUBIC) for p in planes)
        colored = rgb(np.stack([picture, *(np.asarray(plane) for plane in enlarged)], -1))
        colored[picture == 0] = 0  # not finite; nothing else is as far below black, 16
        return colored

    def picture(self, pixels: NDArray[np.uint8], outputs: dict[str, Tensor]) -> NDArray[np.uint8]:
        """The network's own picture without what was padded: RGB H×W×3 or luma H×W, 0 where not finite."""
        values = one(outputs, self.primary)
        if self.preprocessing.fit == "pad":
            height, width = (round(side * self.factor(outputs)) for side in pixels.shape[:2])
            values = values[:, :height, :width]
        picture = self.preprocessing.restore(torch.nan_to_num(values, 0, 0, 0)[None])
        picture[~torch.isfinite(values).all(0).numpy()] = 0
        return picture

    def factor(self, outputs: dict[str, Tensor]) -> float:
        """How many times higher than the input the picture is."""
        return one(outputs, self.primary).shape[1] / self.size[0]


class PictureAgreement(Agreement):
    """`psnr` in dB over all channels clipped to 0..1; the stream's is of its mean squared error.

    The whole output counts, what belongs to padding too. At most `PSNR_CAP`. A picture that is not finite
    counts with the largest error, 1, which is 0 dB.
    """

    def __init__(self, output: str, preprocessing: Preprocessing) -> None:
        super().__init__()
        self._output, self._preprocessing = output, preprocessing
        self._error = 0.0

    def _add(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]:
        a, b = pair(reference, output, self._output)
        finite = bool(torch.isfinite(a).all() and torch.isfinite(b).all())
        error = squared_error(*(colors(t, self._preprocessing) for t in (a, b))) if finite else 1.0
        self._error += error
        return {PSNR.name: psnr(error)}

    def _pooled(self) -> dict[str, float]:
        return {PSNR.name: psnr(self._error / self.frames)}


def colors(picture: Tensor, preprocessing: Preprocessing) -> Tensor:
    """A picture C×H×W in the units of the input as colours or luma in 0..1, not rounded."""
    mean, std = (
        torch.tensor(v, dtype=torch.float32, device="cpu").view(-1, 1, 1)
        for v in (preprocessing.mean, preprocessing.std)
    )
    return ((picture * std + mean) / (255 * preprocessing.scale)).clamp(0, 1)


def squared_error(a: Tensor, b: Tensor) -> float:
    """The mean squared error of two pictures of one shape."""
    return float((a.double() - b.double()).square().mean())


def psnr(error: float) -> float:
    """10·log₁₀(1/error) in dB for a mean squared error of values in 0..1, at most `PSNR_CAP`."""
    return min(PSNR_CAP, -10 * math.log10(error)) if error > 0 else PSNR_CAP
