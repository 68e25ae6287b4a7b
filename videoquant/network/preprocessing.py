"""From a camera's pixels to a network's input: resize, scale, normalise, order the channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from videoquant.errors import DataError, NetworkError

TASKS = ("classification", "segmentation", "pose", "landmarks", "super-resolution")
CROP_SHARE = 0.875  # centre crop of classification networks: 224 of 256, as trained on ImageNet


@dataclass(frozen=True)
class Preprocessing:
    """What the network was trained to see: input = (pixels · scale − mean) / std.

    mean, std: one number per channel, in the units of pixels · scale.
    scale: multiplies pixels of 0..255 (default 1/255).
    color: "RGB" or "BGR", the order of the input's channels.
    fit: "stretch" resizes the whole frame; "crop" resizes its centre (share `CROP_SHARE` of the shorter
        side), keeping the aspect ratio, as classification networks are trained.
    task: what the outputs mean, one of `TASKS`; None where unknown.
    """

    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    scale: float = 1 / 255
    color: Literal["RGB", "BGR"] = "RGB"
    fit: Literal["stretch", "crop"] = "stretch"
    task: str | None = None

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std):
            raise NetworkError(f"preprocessing: mean has {len(self.mean)} values and std {len(self.std)}")
        if any(value == 0 for value in self.std) or self.scale == 0:
            raise NetworkError("preprocessing: std and scale must not be zero")
        if self.color not in ("RGB", "BGR"):
            raise NetworkError(f"preprocessing: color is {self.color!r}; it must be RGB or BGR")
        if self.fit not in ("stretch", "crop"):
            raise NetworkError(f"preprocessing: fit is {self.fit!r}; it must be stretch or crop")
        if self.task is not None and self.task not in TASKS:
            raise NetworkError(f"preprocessing: task is {self.task!r}; known are {', '.join(TASKS)}")

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> Preprocessing:
        """Read the keys mean, std, scale, color, fit and task of an ONNX file; absent keys keep defaults.

        A task that is not one of `TASKS` counts as unknown. Classification networks see the frame's centre.
        """
        keys = ("mean", "std", "scale", "color", "fit")
        known: dict[str, str] = {key: metadata[key] for key in keys if key in metadata}
        task = metadata.get("task", "").strip().lower()
        if task in TASKS:
            known["task"] = task
        if task == "classification":
            known.setdefault("fit", "crop")
        return cls().with_text(known)

    def with_text(self, given: Mapping[str, str]) -> Preprocessing:
        """A copy with the given values, as text: "0.5,0.5,0.5", "1/255", "BGR". Raises `NetworkError`."""
        values: dict[str, Any] = {}
        for key, text in given.items():
            match key:
                case "mean" | "std":
                    values[key] = tuple(_number(part, key) for part in text.split(","))
                case "scale":
                    values[key] = _number(text, key)
                case "color":
                    values[key] = text.strip().upper()
                case _:
                    values[key] = text.strip().lower()
        return replace(self, **values)

    def prepare(self, pixels: NDArray[np.uint8], size: tuple[int, int]) -> torch.Tensor:
        """Turn a frame into the network's input.

        pixels: uint8 RGB, H×W×3. size: (height, width) of the input.
        Returns float32 1×3×height×width, channels last in memory. Raises `DataError` for anything else.
        """
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise DataError(f"a frame must be uint8 of shape H×W×3 (RGB); got {pixels.dtype} {pixels.shape}")
        if pixels.size == 0:
            raise DataError(f"a frame of {pixels.shape[0]}×{pixels.shape[1]} has no pixels")
        top, left, height, width = self.window((pixels.shape[0], pixels.shape[1]), size)
        pixels = pixels[top : top + height, left : left + width]
        image = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).unsqueeze(0)
        if image.shape[-2:] != size:
            image = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
        if self.color == "BGR":
            image = image.flip(1)
        gain = self.scale / torch.tensor(self.std, dtype=torch.float64)
        offset = -torch.tensor(self.mean, dtype=torch.float64) / torch.tensor(self.std, dtype=torch.float64)
        image = image.to(torch.float32, memory_format=torch.channels_last)
        return image.mul_(gain.float().view(1, -1, 1, 1)).add_(offset.float().view(1, -1, 1, 1))

    def window(self, frame: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
        """The part of a frame that the network sees: (top, left, height, width) in the frame's pixels.

        frame, size: (height, width) of the frame and of the input. All of it, unless `fit` is "crop".
        """
        if self.fit == "stretch":
            return 0, 0, *frame
        step = min(frame[0] / size[0], frame[1] / size[1]) * CROP_SHARE
        height, width = max(1, round(step * size[0])), max(1, round(step * size[1]))
        return (frame[0] - height) // 2, (frame[1] - width) // 2, height, width

    def restore(self, image: torch.Tensor) -> NDArray[np.uint8]:
        """The inverse of `prepare` for networks that give pictures: float 1×3×H×W to uint8 H×W×3 RGB."""
        mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (self.mean, self.std))
        pixels = (image[0].float().cpu() * std + mean) / self.scale
        if self.color == "BGR":
            pixels = pixels.flip(0)
        result: NDArray[np.uint8] = pixels.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
        return result


def _number(text: str, key: str) -> float:
    """A number of the metadata, plain or as a fraction such as 1/255."""
    try:
        numerator, _, denominator = text.strip().partition("/")
        return float(numerator) / float(denominator or 1)
    except (ValueError, ZeroDivisionError):
        raise NetworkError(f"preprocessing: {key} holds {text!r}, which is no number") from None
