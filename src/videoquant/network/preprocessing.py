"""From a camera's pixels to a network's input: resize, scale, normalise, order the channels."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from videoquant.errors import DataError, NetworkError
from videoquant.network.frames import as_array, as_pixels
from videoquant.network.ycbcr import luma

COLORS = ("RGB", "BGR", "Y")
FITS = ("stretch", "crop", "pad")
TASKS = ("classification", "segmentation", "pose", "landmarks", "super-resolution")
CROP_SHARE = 0.875  # centre crop of classification networks: 224 of 256, as trained on ImageNet


@dataclass(frozen=True)
class Preprocessing:
    """What the network was trained to see: input = (pixels · scale − mean) / std.

    mean, std: one number per channel, in the units of pixels · scale.
    scale: multiplies pixels of 0..255 (default 1/255).
    color: "RGB" or "BGR", the order of the input's channels; "Y" for one channel, luma of 16..235 (`luma`).
    fit: "stretch" resizes the whole frame; "crop" resizes its centre (share `CROP_SHARE` of the shorter
        side), keeping the aspect ratio, as classification networks are trained; "pad" resizes nothing: the
        frame stands at the top left of the input and its last row and column are repeated to fill the rest.
    task: what the outputs mean, one of `TASKS`; None where unknown.
    """

    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    scale: float = 1 / 255
    color: Literal["RGB", "BGR", "Y"] = "RGB"
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    task: str | None = None

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std):
            raise NetworkError(f"preprocessing: mean has {len(self.mean)} values and std {len(self.std)}")
        if not all(math.isfinite(value) for value in (*self.mean, *self.std, self.scale)):
            raise NetworkError("preprocessing: mean, std and scale must be finite")
        if any(value == 0 for value in self.std) or self.scale == 0:
            raise NetworkError("preprocessing: std and scale must not be zero")
        if self.color not in COLORS:
            raise NetworkError(f"preprocessing: color is {self.color!r}; it must be RGB, BGR or Y")
        if self.color == "Y" and len(self.mean) != 1:
            raise NetworkError(f"preprocessing: mean has {len(self.mean)} values; luma (Y) has one channel")
        if self.fit not in FITS:
            raise NetworkError(f"preprocessing: fit is {self.fit!r}; it must be stretch, crop or pad")
        if self.task is not None and self.task not in TASKS:
            raise NetworkError(f"preprocessing: task is {self.task!r}; known are {', '.join(TASKS)}")

    @property
    def channels(self) -> int:
        """How many the input has: three, or luma alone."""
        return 1 if self.color == "Y" else 3

    @property
    def level(self) -> float:
        """By how much the input changes at most where a pixel changes by one of its levels, and rounding."""
        return 1.001 * abs(self.scale) / min(map(abs, self.std))

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> Preprocessing:
        """Read the keys mean, std, scale, color, fit and task of an ONNX file; absent keys keep defaults.

        So do those without a value. A task that is not one of `TASKS` counts as unknown: other tools use the
        key for names of their own. Classification networks see the frame's centre.
        """
        keys = ("mean", "std", "scale", "color", "fit")
        known: dict[str, str] = {key: metadata[key] for key in keys if metadata.get(key, "").strip()}
        task = metadata.get("task", "").strip().lower()
        if task in TASKS:
            known["task"] = task
        if task == "classification":
            known.setdefault("fit", "crop")
        return cls().with_text(known)

    def with_text(self, given: Mapping[str, str]) -> Preprocessing:
        """A copy with the given values, as text: "0.5,0.5,0.5", "1/255", "BGR". Raises `NetworkError`.

        Numbers may also stand as lists of other tools do, "[0.5, 0.5, 0.5]" or "(0.5 0.5 0.5)". One mean or
        std is that of every channel; where the color becomes Y, one that is the same for each becomes one.
        """
        values: dict[str, Any] = {}
        for key, text in given.items():
            match key:
                case "mean" | "std":
                    numbers = tuple(_number(part, key) for part in _parts(text))
                    values[key] = numbers * 3 if len(numbers) == 1 else numbers
                case "scale":
                    parts = _parts(text)
                    if len(parts) != 1:
                        raise NetworkError(f"preprocessing: scale holds {text!r}; it must be one number")
                    values[key] = _number(parts[0], key)
                case "color":
                    values[key] = text.strip().upper()
                case _:
                    values[key] = text.strip().lower()
        if values.get("color", self.color) == "Y":
            for key in ("mean", "std"):
                numbers = values.get(key, getattr(self, key))
                values[key] = numbers[:1] if len(set(numbers)) == 1 else numbers
        return replace(self, **values)

    def prepare(self, pixels: NDArray[np.uint8], size: tuple[int, int]) -> torch.Tensor:
        """Turn a frame into the network's input.

        pixels: uint8 RGB, H×W×3. size: (height, width) of the input.
        Returns float32 1×3×height×width, 1×1×height×width for luma, channels last in memory.
        Raises `DataError` for anything else, and for a frame larger than the input where `fit` is "pad".
        """
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise DataError(f"a frame must be uint8 of shape H×W×3 (RGB); got {pixels.dtype} {pixels.shape}")
        if pixels.size == 0:
            raise DataError(f"a frame of {pixels.shape[0]}×{pixels.shape[1]} has no pixels")
        top, left, height, width = self.window((pixels.shape[0], pixels.shape[1]), size)
        pixels = pixels[top : top + height, left : left + width]
        if self.color == "Y":
            image = torch.from_numpy(luma(pixels).astype(np.float32))[None, None]
        else:
            owned = np.require(pixels, requirements=["C", "W"])  # what PyTorch can share
            image = torch.from_numpy(owned).permute(2, 0, 1).unsqueeze(0)
        if self.fit == "pad":
            below, right = (whole - part for whole, part in zip(size, image.shape[-2:], strict=True))
            image = F.pad(image.float(), (0, right, 0, below), mode="replicate")
        elif image.shape[-2:] != size:
            image = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
        if self.color == "BGR":
            image = image.flip(1)
        gain = self.scale / torch.tensor(self.std, dtype=torch.float64, device="cpu")
        offset = -torch.tensor(self.mean, dtype=torch.float64, device="cpu") / torch.tensor(
            self.std, dtype=torch.float64, device="cpu"
        )
        image = image.to(torch.float32, memory_format=torch.channels_last)
        return image.mul_(gain.float().view(1, -1, 1, 1)).add_(offset.float().view(1, -1, 1, 1))

    def window(self, frame: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
        """The part of a frame that the network sees: (top, left, height, width) in the frame's pixels.

        frame, size: (height, width) of the frame and of the input. All of it, unless `fit` is "crop". Where
        it is "pad" the part is as large as the input, so it may reach past the frame's bottom and right.
        Raises `DataError` where the frame would have to be resized to be padded.
        """
        if self.fit == "pad":
            if frame[0] > size[0] or frame[1] > size[1]:
                raise DataError(
                    f"a frame of {frame[0]}×{frame[1]} is larger than the input, {size[0]}×{size[1]}; the "
                    "fit pad never resizes: capture the network at a larger size, or set fit to stretch"
                )
            return 0, 0, *size
        if self.fit == "stretch":
            return 0, 0, *frame
        step = min(frame[0] / size[0], frame[1] / size[1]) * CROP_SHARE
        height, width = max(1, round(step * size[0])), max(1, round(step * size[1]))
        return (frame[0] - height) // 2, (frame[1] - width) // 2, height, width

    def restore(self, image: torch.Tensor) -> NDArray[np.uint8]:
        """The inverse of `prepare` for networks that give pictures, without resizing or cropping.

        image: float 1×3×H×W gives uint8 RGB H×W×3; of a Y network, 1×1×H×W gives luma, uint8 H×W.
        """
        mean, std = (
            torch.tensor(v, dtype=torch.float32, device="cpu").view(-1, 1, 1) for v in (self.mean, self.std)
        )
        pixels = (image[0].float().cpu() * std + mean) / self.scale
        if self.color == "BGR":
            pixels = pixels.flip(0)
        rounded = pixels.round().clamp(0, 255).to(torch.uint8)
        result: NDArray[np.uint8] = (rounded[0] if self.color == "Y" else rounded.permute(1, 2, 0)).numpy()
        return result


def prepare(
    frame: Any,
    preprocessing: Preprocessing,
    input_shape: Sequence[int],
    name: str = "network",
    check_finite: bool = True,
) -> torch.Tensor:
    """A network's input for a frame: a picture of any kind (`frames.as_pixels`), or the input itself.

    The input itself are floating-point numbers, a tensor or an array, N×C×H×W or C×H×W; integers never are.
    input_shape: N×C×H×W of the network; an input may have another N. name: of the network, for messages.
    check_finite: False where the caller does it himself.
    Raises `DataError` for what is neither, or where an input has another shape, or is not finite.
    """
    x = _input(getattr(frame, "pixels", frame), input_shape)
    if x is None:
        if preprocessing.channels != input_shape[1]:
            raise DataError(
                f"{name}: its input has {input_shape[1]} channels, a picture in {preprocessing.color} "
                f"{preprocessing.channels}; the color of one channel is Y, others need an input made by hand"
            )
        return preprocessing.prepare(as_pixels(frame), (input_shape[2], input_shape[3]))
    if tuple(x.shape[1:]) != tuple(input_shape[1:]):
        want, got = ("×".join(map(str, shape)) for shape in (input_shape, x.shape))
        raise DataError(f"{name}: the input must be {want}; got {got}")
    if check_finite and not bool(torch.isfinite(x).all()):
        raise DataError(f"{name}: the input holds NaN or infinity")
    return x.float().contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x.float()


def _input(frame: Any, input_shape: Sequence[int]) -> torch.Tensor | None:
    """Floating-point numbers as a network's input, with the first axis that C×H×W lacks; None for others.

    An array in the order of pictures, H×W×C, is none.
    """
    if isinstance(frame, np.ndarray) and frame.dtype.kind == "f":
        if frame.ndim != 4 and frame.shape != tuple(input_shape[1:]):
            return None
        x = torch.from_numpy(as_array(frame).astype(np.float32))
    elif isinstance(frame, torch.Tensor) and frame.is_floating_point():
        x = frame
    else:
        return None
    return x[None] if x.shape == tuple(input_shape[1:]) else x


def _parts(text: str) -> list[str]:
    """The numbers of a list, as text: with commas or spaces between them, in brackets or not."""
    return [part for part in re.split(r"[,;\s]+", text.strip(" \t\r\n[](){}")) if part] or [text]


def _number(text: str, key: str) -> float:
    """A number of the metadata, plain or as a fraction such as 1/255."""
    try:
        numerator, _, denominator = text.strip().partition("/")
        return float(numerator) / float(denominator or 1)
    except (ValueError, ZeroDivisionError):
        raise NetworkError(f"preprocessing: {key} holds {text!r}, which is no number") from None
