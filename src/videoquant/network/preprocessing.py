"""From a camera's pixels to a network's input: resize, scale, normalise, order the channels.

Long because bytes, the numbers that networks take and the way back are one formula, in one place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from videoquant import _native
from videoquant.errors import DataError, NetworkError
from videoquant.network.box_layout import FAMILIES, KEYS, BoxLayout, of_ultralytics
from videoquant.network.frames import as_array
from videoquant.network.ycbcr import luma

COLORS = ("RGB", "BGR", "Y")
FITS = ("stretch", "crop", "pad", "letterbox")
TASKS = ("classification", "segmentation", "pose", "landmarks", "super-resolution", "detection")
CROP_SHARE = 0.875  # centre crop of classification networks: 224 of 256, as trained on ImageNet
GREY = 114  # what stands beside a letterboxed frame, as YOLO networks are trained


@dataclass(frozen=True)
class Preprocessing:
    """What the network was trained to see: input = (pixels · scale − mean) / std.

    mean, std: one number per channel, in the units of pixels · scale.
    scale: multiplies pixels of 0..255 (default 1/255).
    color: "RGB" or "BGR", the order of the input's channels; "Y" for one channel, luma of 16..235 (`luma`).
    fit: "stretch" resizes the whole frame; "crop" resizes its centre (share `CROP_SHARE` of the shorter
        side), keeping the aspect ratio, as classification networks are trained; "pad" resizes nothing: the
        frame stands at the top left of the input and its last row and column are repeated to fill the rest;
        "letterbox" resizes the whole frame with its aspect ratio to the middle of the input, grey beside it.
    task: what the outputs mean, one of `TASKS`; None where unknown.
    boxes: of a detector, what is said of its boxes.
    """

    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    scale: float = 1 / 255
    color: Literal["RGB", "BGR", "Y"] = "RGB"
    fit: Literal["stretch", "crop", "pad", "letterbox"] = "stretch"
    task: str | None = None
    boxes: BoxLayout = field(default_factory=BoxLayout)

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
            raise NetworkError(
                f"preprocessing: fit is {self.fit!r}; it must be {', '.join(FITS[:-1])} or {FITS[-1]}"
            )
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

        So do those without a value. Of a detector also those of `BoxLayout` (`box_layout.KEYS`); its family
        says how frames are prepared, where the file does not. What Ultralytics writes is understood. Another
        task than one of `TASKS` counts as unknown: other tools use the key for names of their own.
        Classification networks see the frame's centre.
        """
        metadata = metadata | of_ultralytics(metadata)
        keys = ("mean", "std", "scale", "color", "fit")
        known: dict[str, str] = {key: metadata[key] for key in keys if metadata.get(key, "").strip()}
        task = metadata.get("task", "").strip().lower()
        if task in TASKS:
            known["task"] = task
        if task == "classification":
            known.setdefault("fit", "crop")
        if task == "detection":
            known = {key: metadata[key] for key in KEYS if key in metadata} | known
        return cls().with_text(known)

    def with_text(self, given: Mapping[str, str]) -> Preprocessing:
        """A copy with the given values, as text: "0.5,0.5,0.5", "1/255", "BGR". Raises `NetworkError`.

        Numbers may also stand as lists of other tools do, "[0.5, 0.5, 0.5]" or "(0.5 0.5 0.5)". One mean or
        std is that of every channel; where the color becomes Y, one that is the same for each becomes one.
        A family of boxes makes the task detection, and prepares frames as the family's authors do where
        nothing else was said.
        """
        values: dict[str, Any] = {}
        family = given.get("boxes", "").strip().lower()
        if family in FAMILIES:
            untold = replace(self, task=None, boxes=BoxLayout()) == Preprocessing()
            given = (FAMILIES[family] if untold else {}) | {"task": "detection"} | dict(given)
        layout = {key: text for key, text in given.items() if key in KEYS}
        if layout:
            values["boxes"] = self.boxes.with_text(layout)
        for key, text in given.items():
            match key:
                case _ if key in KEYS:
                    pass
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

    def prepare(self, pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
        """Turn a frame into the network's input.

        pixels: uint8 RGB, H×W×3. size: (height, width) of the input.
        Returns float32 1×3×height×width, 1×1×height×width for luma, channels last in memory.
        Raises `DataError` for anything else, and for a frame larger than the input where `fit` is "pad".
        """
        pixels, (gain, offset) = self._seen(pixels, size), self.line()
        if self.color == "Y":
            plane = self._fitted(luma(pixels).astype(np.float32), size, _native.resize_plane)
            scaled: NDArray[np.float32] = (plane * gain + offset)[:, :, None]
            return _as_input(scaled)
        picture = self._fitted(pixels, size, _native.resize_rgb)
        scaled = _native.scale_rgb(picture, tuple(gain), tuple(offset), self.color == "BGR")
        return _as_input(scaled)

    def picture(self, pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        """The bytes that `prepare` makes its input of, uint8 height×width×C, channels in the input's order.

        Takes and refuses what `prepare` does. Luma, which is not whole there, is rounded.
        """
        if self.color == "Y":
            of_luma: NDArray[np.uint8] = self.levels(self.prepare(pixels, size))[0]
            return of_luma
        picture: NDArray[np.uint8] = self._fitted(self._seen(pixels, size), size, _native.resize_rgb)
        return np.ascontiguousarray(picture[..., :: -1 if self.color == "BGR" else 1])

    def levels(self, x: NDArray[np.floating]) -> NDArray[np.uint8]:
        """The bytes that inputs stand for: clip(round((x − offset) / gain), 0, 255), uint8 N×H×W×C.

        x: N×C×H×W, as `prepare` gives it or made by hand. Where it has other channels than a picture, the
        numbers of the first channel stand for all.
        """
        gain, offset = (
            numbers[:1] if x.shape[1] != self.channels else numbers
            for numbers in (numbers.astype(np.float64) for numbers in self.line())
        )
        gain, offset = (np.broadcast_to(numbers, x.shape[1]).tolist() for numbers in (gain, offset))
        values = np.ascontiguousarray(x.transpose(0, 2, 3, 1), np.float32)
        return _native.levels(values, gain, offset)

    def line(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The gain and the offset of each channel: input = pixel · gain + offset."""
        std = np.array(self.std, np.float64)
        # One number stands for every channel.
        gain, offset = (
            np.broadcast_to(numbers.astype(np.float32), (self.channels,))
            for numbers in (self.scale / std, -np.array(self.mean, np.float64) / std)
        )
        return gain, offset

    def _seen(self, pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        """The part of a frame that the network sees, in the frame's pixels."""
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise DataError(f"a frame must be uint8 of shape H×W×3 (RGB); got {pixels.dtype} {pixels.shape}")
        if pixels.size == 0:
            raise DataError(f"a frame of {pixels.shape[0]}×{pixels.shape[1]} has no pixels")
        if self.fit == "letterbox":
            return pixels
        window = self.window((pixels.shape[0], pixels.shape[1]), size)
        top, left, height, width = map(int, window)
        return pixels[top : top + height, left : left + width]

    def _fitted(self, picture: NDArray[Any], size: tuple[int, int], resize: Callable[..., Any]) -> Any:
        """A picture, H×W or H×W×3, padded or resized to `size`, in C order."""
        below, right = (whole - part for whole, part in zip(size, picture.shape[:2], strict=True))
        if below == right == 0:
            return np.ascontiguousarray(picture)
        if self.fit == "pad":
            return np.pad(picture, ((0, below), (0, right), (0, 0))[: picture.ndim], mode="edge")
        if self.fit == "letterbox":
            top, left, height, width = letterboxed((picture.shape[0], picture.shape[1]), size)
            boxed = np.full((*size, *picture.shape[2:]), GREY, picture.dtype)
            inner = resize(np.ascontiguousarray(picture), height, width)
            boxed[top : top + height, left : left + width] = inner
            return boxed
        return resize(np.ascontiguousarray(picture), *size)

    def window(self, frame: tuple[int, int], size: tuple[int, int]) -> tuple[float, float, float, float]:
        """What the network sees of a frame's plane: (top, left, height, width) in the frame's pixels.

        frame, size: (height, width) of the frame and of the input. The frame, unless `fit` is "crop". Where
        it is "pad" the part is as large as the input, so it may reach past the frame's bottom and right;
        where it is "letterbox", past two opposite sides. Whole numbers, except of the latter.
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
        if self.fit == "letterbox":
            top, left, inner_height, inner_width = letterboxed(frame, size)
            down, across = frame[0] / inner_height, frame[1] / inner_width
            return -top * down, -left * across, size[0] * down, size[1] * across
        step = min(frame[0] / size[0], frame[1] / size[1]) * CROP_SHARE
        height, width = max(1, round(step * size[0])), max(1, round(step * size[1]))
        return (frame[0] - height) // 2, (frame[1] - width) // 2, height, width

    def restore(self, image: Any) -> NDArray[np.uint8]:
        """The inverse of `prepare` for networks that give pictures, without resizing or cropping.

        image: an array or a tensor. Float 1×3×H×W gives uint8 RGB H×W×3; of a Y network, 1×1×H×W gives luma,
            uint8 H×W.
        """
        mean, std = (np.array(v, np.float32).reshape(-1, 1, 1) for v in (self.mean, self.std))
        pixels = (as_array(image)[0].astype(np.float32) * std + mean) / np.float32(self.scale)
        if self.color == "BGR":
            pixels = pixels[::-1]
        rounded = pixels.round().clip(0, 255).astype(np.uint8)
        return np.ascontiguousarray(rounded[0] if self.color == "Y" else rounded.transpose(1, 2, 0))


def letterboxed(frame: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where a frame lies in a letterboxed input: (top, left, height, width) in the input's pixels.

    frame, size: (height, width). Rounded as YOLO's own code does.
    """
    scale = min(size[0] / frame[0], size[1] / frame[1])
    height, width = (max(1, round(side * scale)) for side in frame)
    return round((size[0] - height) / 2 - 0.1), round((size[1] - width) / 2 - 0.1), height, width


def _as_input(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels H×W×C as an input 1×C×H×W on the same memory.

    The first axis steps over a whole picture, where `[None]` would step by 0: PyTorch chooses its convolution
    by that, and each rounds in its own way.
    """
    return np.ascontiguousarray(pixels).reshape(1, *pixels.shape).transpose(0, 3, 1, 2)


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
