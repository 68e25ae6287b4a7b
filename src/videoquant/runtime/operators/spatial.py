"""Operators on the height and width of maps N×C×H×W: pools, resizing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from videoquant.runtime.operators.registry import Array, operator, operator_sized, single


def resized(
    shape: Sequence[int], size: Sequence[int] | None, scale: Sequence[float] | None
) -> tuple[int, int]:
    """(height, width) after a resize to a size or by a scale, of a value …×H×W."""
    if size is not None:
        return size[0], size[1]
    assert scale is not None
    return math.floor(shape[-2] * scale[0]), math.floor(shape[-1] * scale[1])


def source_step(before: int, after: int, scale: float | None, corners: bool) -> float:
    """Source pixels per output pixel of one axis in float32, as PyTorch computes them.

    before, after: how many pixels there are.
    corners: whether the outermost pixels are each other's.
    """
    if corners:
        return float(np.float32(before - 1) / np.float32(after - 1)) if after > 1 else 0.0
    return float(np.float32(before) / np.float32(after) if scale is None else np.float32(1 / scale))


def _resize_elements(
    x: Array, *, size: Sequence[int] | None = None, scale: Sequence[float] | None = None, **_: Any
) -> int:
    return math.prod(x.shape[:-2]) * math.prod(resized(x.shape, size, scale))


def _pool_elements(x: Array, *, padding: Sequence[int], **_: Any) -> int:
    top, left = padding[:2]
    bottom, right = padding[-2:]
    sides: tuple[int, int] = x.shape[-2] + top + bottom, x.shape[-1] + left + right
    return math.prod((*x.shape[:-2], *sides))


@operator_sized(_pool_elements)
def max_pool2d(
    x: Array,
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil: bool,
) -> Array:
    """padding: (top, left, bottom, right), with −∞."""
    result = np.float32(-np.inf)
    top, left, bottom, right = padding
    size = _pooled(x.shape, kernel, stride, padding, dilation, ceil)
    reach = [(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(size, stride, kernel, dilation, strict=True)]
    below, across = (
        max(0, far - near - whole) for far, near, whole in zip(reach, (top, left), x.shape[-2:], strict=True)
    )
    sides = [(0, 0)] * (x.ndim - 2) + [(top, max(below, bottom)), (left, max(across, right))]
    padded = np.pad(x, sides, constant_values=-np.inf)
    for i in range(kernel[0]):
        rows = slice(i * dilation[0], i * dilation[0] + (size[0] - 1) * stride[0] + 1, stride[0])
        for j in range(kernel[1]):
            first = j * dilation[1]
            columns = slice(first, first + (size[1] - 1) * stride[1] + 1, stride[1])
            result = np.maximum(result, padded[..., rows, columns])
    return np.asarray(result)


@operator_sized(_pool_elements)
def avg_pool2d(
    x: Array,
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil: bool,
    count_padding: bool,
) -> Array:
    """padding: (top, left), the same at the far sides; counted in the average where `count_padding`."""
    size = _pooled(x.shape, kernel, stride, (*padding, *padding), (1, 1), ceil)
    result = np.empty((*x.shape[:-2], *size), np.float32)
    spans = [
        [(i * s - p, min(i * s - p + k, whole + p)) for i in range(n)]
        for n, k, s, p, whole in zip(size, kernel, stride, padding, x.shape[-2:], strict=True)
    ]
    for i, (top, bottom) in enumerate(spans[0]):
        rows = slice(max(top, 0), min(bottom, x.shape[-2]))
        for j, (left, right) in enumerate(spans[1]):
            window = x[..., rows, max(left, 0) : min(right, x.shape[-1])]
            counted = (
                (bottom - top) * (right - left) if count_padding else window.shape[-2] * window.shape[-1]
            )
            result[..., i, j] = window.sum((-2, -1), np.float64) / counted
    return result


@operator_sized(lambda x, size: math.prod(x.shape[:-2]) * math.prod(size))
def adaptive_avg_pool2d(x: Array, *, size: Sequence[int]) -> Array:
    """size: (height, width) of the output; (1, 1) is global average pooling."""
    result = np.empty((*x.shape[:-2], *size), np.float32)
    height, width = x.shape[-2:]
    for i in range(size[0]):
        rows = slice(i * height // size[0], -(-(i + 1) * height // size[0]))
        for j in range(size[1]):
            columns = slice(j * width // size[1], -(-(j + 1) * width // size[1]))
            result[..., i, j] = x[..., rows, columns].mean((-2, -1), np.float64)
    return result


@operator_sized(_resize_elements)
def resize(
    x: Array,
    *,
    mode: str,
    size: Sequence[int] | None = None,
    scale: Sequence[float] | None = None,
    align_corners: bool = False,
) -> Array:
    """mode: "nearest" (floor), "bilinear" or "bicubic" (half-pixel centres, or aligned corners).

    size, scale: (h, w).
    """
    after = resized(x.shape, size, scale)
    corners = align_corners and mode != "nearest"
    steps = [
        source_step(x.shape[axis - 2], after[axis], None if scale is None else scale[axis], corners)
        for axis in (0, 1)
    ]
    if mode == "nearest":
        rows, columns = (
            np.minimum((np.arange(n, dtype=np.float32) * np.float32(step)).astype(int), before - 1)
            for n, step, before in zip(after, steps, x.shape[-2:], strict=True)
        )
        return x[..., rows[:, None], columns]
    if mode == "bicubic":
        for axis in (-1, -2):
            x = _cubic(x, axis, after[axis], steps[axis], corners)
        return x
    for axis in (-1, -2):
        first, second, share = _source_places(after[axis], x.shape[axis], steps[axis], corners)
        share = share if axis == -1 else share[:, None]
        x = x.take(first, axis) * (1 - share) + x.take(second, axis) * share
    return x


@operator
def pixel_shuffle(x: Array, *, factor: int, order: str = "CRD") -> Array:
    """C·r² channels to r× height and width; order "CRD" as PyTorch, "DCR" as TensorFlow's depth-to-space."""
    n, c, h, w = x.shape
    if order == "DCR":
        x = x.reshape(n, factor, factor, c // factor**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        x = x.reshape(n, c // factor**2, factor, factor, h, w).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(n, c // factor**2, h * factor, w * factor)


def _source_places(count: int, size: int, step: float, corners: bool) -> tuple[Any, Any, Array]:
    """Of an axis' output pixels, the two source pixels between which each lies, and the second's share."""
    places, half, scale = np.arange(count, dtype=np.float32), np.float32(0.5), np.float32(step)
    places = places * scale if corners else np.maximum(scale * (places + half) - half, np.float32(0))
    first = np.minimum(places.astype(int), size - 1)
    return first, np.minimum(first + 1, size - 1), (places - first.astype(np.float32)).clip(0, 1)


def _cubic(x: Array, axis: int, count: int, step: float, corners: bool) -> Array:
    """One axis resized by cubic convolution (Keys 1981, a = −0.75), as PyTorch does."""
    places, scale = np.arange(count, dtype=np.float32), np.float32(step)
    places = places * scale if corners else scale * (places + np.float32(0.5)) - np.float32(0.5)
    first = np.floor(places)
    share, a = (places - first).astype(np.float64), -0.75
    near = [((a + 2) * t - (a + 3)) * t * t + 1 for t in (share, 1 - share)]
    far = [((a * t - 5 * a) * t + 8 * a) * t - 4 * a for t in (share + 1, 2 - share)]
    result: Any = 0
    for offset, weight in zip((-1, 0, 1, 2), (far[0], *near, far[1]), strict=True):
        taken = x.take((first.astype(int) + offset).clip(0, x.shape[axis] - 1), axis)
        result = result + taken * (weight if axis == -1 else weight[:, None])
    return single(result)


def _pooled(
    shape: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil: bool,
) -> list[int]:
    """(height, width) of what a pool gives. padding: (top, left, bottom, right)."""
    sizes = []
    uneven = tuple(padding[:2]) != tuple(padding[2:])  # then it is no part of the window's rule below
    for axis in (0, 1):
        before, after = padding[axis], padding[axis + 2]
        whole = shape[axis - 2] + before + after
        count = -(-(whole - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis]) if ceil else 0
        count = count if ceil else (whole - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis]
        # No window begins behind the last pixel.
        end = whole if uneven else shape[axis - 2] + before
        sizes.append(count if ceil and count * stride[axis] >= end else count + 1)
    return sizes
