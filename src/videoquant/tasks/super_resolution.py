"""Super-resolution: the upscaled picture and its peak signal-to-noise ratio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videoquant.network.ycbcr import chroma, rgb
from videoquant.tasks.base import Graph, Measure, Task, one

PSNR = Measure("psnr", "PSNR", "dB", digits=2)
PSNR_CAP = 100.0  # dB, for pictures that are equal or nearly so


@dataclass(frozen=True)
class SuperResolution(Task):
    """A larger picture, from one output 1×3×H×W, or luma 1×1×H×W, in the units of the network's input."""

    name: ClassVar[str] = "super-resolution"

    @classmethod
    def of(cls, network: Graph) -> SuperResolution | None:
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

    def draw(self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any]) -> NDArray[np.uint8]:
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

    def picture(self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any]) -> NDArray[np.uint8]:
        """The network's own picture without what was padded: RGB H×W×3 or luma H×W, 0 where not finite."""
        values = one(outputs, self.primary)
        if self.preprocessing.fit == "pad":
            height, width = (round(side * self.factor(outputs)) for side in pixels.shape[:2])
            values = values[:, :height, :width]
        picture = self.preprocessing.restore(np.nan_to_num(values, nan=0, posinf=0, neginf=0)[None])
        picture[~np.isfinite(values).all(0)] = 0
        return picture

    def factor(self, outputs: Mapping[str, Any]) -> float:
        """How many times higher than the input the picture is."""
        return float(one(outputs, self.primary).shape[1] / self.size[0])
