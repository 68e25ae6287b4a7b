"""How ONNX operators become nodes: pools. See `onnx_operators`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from videoquant.network.builder import OperatorContext, OperatorRegistry, Value
from videoquant.network.onnx_windows import of_lines_too, paddings, refuse_skipping

POOLS = OperatorRegistry()
_onnx = POOLS.register


@_onnx("MaxPool")
@of_lines_too
def max_pool(
    site: OperatorContext,
    x: Value,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] = (1, 1),
    ceil_mode: int = 0,
    auto_pad: str = "NOTSET",
    storage_order: int = 0,
) -> Value:
    if auto_pad.startswith("SAME") and tuple(dilations) != (1, 1):
        raise site.refuse("a max pool with auto_pad=SAME and dilations is read in several ways; export pads")
    padding = paddings(site, x, kernel_shape, strides, dilations, pads, auto_pad)
    refuse_skipping(site, x, kernel_shape, strides, auto_pad)
    extent = [(k - 1) * dilation + 1 for k, dilation in zip(kernel_shape, dilations, strict=True)]
    blind = f"pads {padding} are so large that a window would see nothing but padding"
    if any(pad >= size for pad, size in zip(padding, extent * 2, strict=True)):
        raise site.refuse(blind)
    ceil = bool(ceil_mode)
    if ceil and padding[:2] != padding[2:]:
        # Windows that would begin behind the image and what is before it are left out, so that with the
        # right padding at the far side none is cut short.
        for axis in (0, 1):
            near = x.shape[2 + axis] + padding[axis]
            count = math.ceil((near + padding[2 + axis] - extent[axis]) / strides[axis]) + 1
            count -= (count - 1) * strides[axis] >= near
            padding[2 + axis] = max(0, (count - 1) * strides[axis] + extent[axis] - near)
        ceil = False
    attributes: dict[str, Any] = {"kernel": list(kernel_shape), "stride": list(strides), "ceil": ceil}
    y = site.emit("max_pool2d", x, **attributes, padding=padding, dilation=list(dilations))
    for axis in (0, 1):  # the taps of a dilated window may lie on both sides of a small image
        first = np.arange(y.shape[2 + axis]) * strides[axis] - padding[axis]
        taps = first[:, None] + np.arange(kernel_shape[axis]) * dilations[axis]
        if not ((taps >= 0) & (taps < x.shape[2 + axis])).any(1).all():
            raise site.refuse(blind)
    return y


@_onnx("AveragePool")
@of_lines_too
def average_pool(
    site: OperatorContext,
    x: Value,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] = (1, 1),
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    auto_pad: str = "NOTSET",
) -> Value:
    if tuple(dilations) != (1, 1):
        raise site.refuse("an average pool with dilations is not supported")
    top, left, bottom, right = paddings(site, x, kernel_shape, strides, (1, 1), pads, auto_pad)
    refuse_skipping(site, x, kernel_shape, strides, auto_pad)
    if (top, left) != (bottom, right):
        if ceil_mode or not count_include_pad:
            raise site.refuse(
                "an average pool with uneven pads is supported only with count_include_pad=1, no ceil"
            )
        x = site.emit("pad", x, part="pad", padding=[left, right, top, bottom], mode="constant", value=0.0)
        top = left = 0
    attributes: dict[str, Any] = {
        "kernel": list(kernel_shape),
        "stride": list(strides),
        "padding": [top, left],
    }
    return site.emit(
        "avg_pool2d", x, **attributes, ceil=bool(ceil_mode), count_padding=bool(count_include_pad)
    )


@_onnx("GlobalAveragePool")
def global_average_pool(site: OperatorContext, x: Value) -> Value:
    if len(x.shape) == 4:
        return site.emit("adaptive_avg_pool2d", x, size=[1, 1])
    return site.emit("mean", x, dims=_places(site, x), keepdim=True)


@_onnx("GlobalMaxPool")
def global_max_pool(site: OperatorContext, x: Value) -> Value:
    return site.emit("amax", x, dims=_places(site, x), keepdim=True)


def _places(site: OperatorContext, x: Value) -> list[int]:
    """The dimensions behind batch and channels."""
    if len(x.shape) < 3:
        raise site.refuse(f"it needs dimensions to pool over; its input has shape {x.shape}")
    return list(range(2, len(x.shape)))
