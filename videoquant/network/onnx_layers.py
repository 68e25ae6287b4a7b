"""How ONNX operators become nodes: what multiplies by weights or slides a window. See `onnx_operators`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from videoquant.network.builder import Argument, Site, Table, Value

LAYERS = Table()
_onnx = LAYERS.register


def paddings(
    site: Site,
    x: Value,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int] | None,
    auto_pad: str,
) -> list[int]:
    """(top, left, bottom, right) in numbers, whichever way the node says it."""
    if len(x.shape) != 4:
        raise site.refuse(f"only two-dimensional images are supported; its input has shape {x.shape}")
    if auto_pad == "NOTSET":
        return list(pads or (0, 0, 0, 0))
    if auto_pad == "VALID":
        return [0, 0, 0, 0]
    totals = [
        max((math.ceil(size / stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
        for size, k, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True)
    ]
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return less + more if auto_pad == "SAME_UPPER" else more + less


@_onnx("Conv")
def conv(
    site: Site,
    x: Value,
    w: Argument,
    b: Argument | None = None,
    *,
    kernel_shape: Sequence[int] = (),
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] = (1, 1),
    group: int = 1,
    auto_pad: str = "NOTSET",
) -> Value:
    kernel = site.fixed(w, "weights").shape[2:]
    padding = paddings(site, x, kernel, strides, dilations, pads, auto_pad)
    attributes = {"stride": list(strides), "padding": padding, "dilation": list(dilations), "groups": group}
    return site.convolve("conv2d", x, w, b, **attributes)


@_onnx("ConvTranspose")
def conv_transpose(
    site: Site,
    x: Value,
    w: Argument,
    b: Argument | None = None,
    *,
    kernel_shape: Sequence[int] = (),
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    output_padding: Sequence[int] = (0, 0),
    output_shape: Sequence[int] = (),
    group: int = 1,
    auto_pad: str = "NOTSET",
) -> Value:
    if output_shape or auto_pad.startswith("SAME"):
        raise site.refuse("output_shape and auto_pad=SAME are not supported; export it with explicit pads")
    attributes = {"stride": list(strides), "padding": list(pads), "output_padding": list(output_padding)}
    attributes |= {"dilation": list(dilations)}
    return site.convolve("conv_transpose2d", x, w, b, groups=group, **attributes)


@_onnx("Gemm")
def gemm(
    site: Site,
    a: Argument,
    b: Argument,
    c: Argument | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Value:
    if transA:
        raise site.refuse("transA=1 is not supported")
    weight = site.fixed(b, "weights") * alpha
    weight = weight if transB else weight.T
    bias = None if c is None else (site.fixed(c, "biases") * beta).broadcast_to(1, len(weight))
    return site.convolve("linear", site.running(a), weight, bias)


@_onnx("MatMul")
def matmul(site: Site, a: Argument, b: Argument) -> Value:
    weight = site.fixed(b, "weights (the second input)")
    if weight.dim() != 2:
        raise site.refuse(f"its weights must be a matrix; they have shape {tuple(weight.shape)}")
    return site.convolve("linear", site.running(a), weight.T, None)


@_onnx("BatchNormalization")
def batch_normalization(
    site: Site,
    x: Value,
    scale: Argument,
    b: Argument,
    mean: Argument,
    var: Argument,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    spatial: int = 1,
) -> Value:
    if training_mode or not spatial:
        raise site.refuse("a batch norm in training mode is not supported; export the network in eval mode")
    weight, bias, mean, var = (site.fixed(tensor, "statistics") for tensor in (scale, b, mean, var))
    return site.batch_norm(x, weight, bias, mean, var, epsilon)


@_onnx("MaxPool")
def max_pool(
    site: Site,
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
    attributes: dict[str, Any] = {
        "kernel": list(kernel_shape),
        "stride": list(strides),
        "ceil": bool(ceil_mode),
    }
    attributes["padding"] = paddings(site, x, kernel_shape, strides, dilations, pads, auto_pad)
    return site.emit("max_pool2d", x, **attributes, dilation=list(dilations))


@_onnx("AveragePool")
def average_pool(
    site: Site,
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
def global_average_pool(site: Site, x: Value) -> Value:
    return site.emit("adaptive_avg_pool2d", x, size=[1, 1])


@_onnx("GlobalMaxPool")
def global_max_pool(site: Site, x: Value) -> Value:
    return site.emit("amax", x, dims=[2, 3], keepdim=True)
