"""How ONNX operators become nodes: what multiplies by weights or slides a window. See `onnx_operators`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from videoquant.network.builder import Argument, OperatorContext, OperatorRegistry, Value

LAYERS = OperatorRegistry()
_onnx = LAYERS.register


AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


def check_window(
    site: OperatorContext,
    x: Value,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int] | None,
    auto_pad: str,
) -> None:
    """Refuse a window that is not two-dimensional, or has numbers that no window can have."""
    if len(x.shape) != 4:
        raise site.refuse(f"only two-dimensional images are supported; its input has shape {x.shape}")
    for what, numbers in (("kernel_shape", kernel), ("strides", strides), ("dilations", dilations)):
        if len(numbers) != 2 or min(numbers) < 1:
            raise site.refuse(f"{what} is {list(numbers)}; it must be two positive numbers")
    if pads is not None and (len(pads) != 4 or min(pads) < 0):
        raise site.refuse(f"pads is {list(pads)}; it must be four numbers, none negative")
    if auto_pad not in AUTO_PADS:
        raise site.refuse(f"auto_pad is {auto_pad!r}; it must be one of {', '.join(AUTO_PADS)}")


def paddings(
    site: OperatorContext,
    x: Value,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int] | None,
    auto_pad: str,
) -> list[int]:
    """(top, left, bottom, right) in numbers, whichever way the node says it."""
    check_window(site, x, kernel, strides, dilations, pads, auto_pad)
    if auto_pad == "NOTSET":
        return list(pads or (0, 0, 0, 0))
    if auto_pad == "VALID":
        return [0, 0, 0, 0]
    totals = [
        max((math.ceil(size / stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
        for size, k, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True)
    ]
    return _shared_out(totals, auto_pad)


def _shared_out(totals: Sequence[int], auto_pad: str) -> list[int]:
    """Paddings of height and width as (top, left, bottom, right); SAME_UPPER has the odd pixel at the end."""
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return less + more if auto_pad == "SAME_UPPER" else more + less


def refuse_skipping(
    site: OperatorContext, x: Value, kernel: Sequence[int], strides: Sequence[int], auto_pad: str
) -> None:
    """Refuse a pool with auto_pad=SAME whose windows leave out two pixels or more: at which end?"""
    sizes = zip(x.shape[2:], kernel, strides, strict=True)
    if auto_pad.startswith("SAME") and any((math.ceil(n / s) - 1) * s + k <= n - 2 for n, k, s in sizes):
        raise site.refuse("auto_pad=SAME that leaves out pixels is read in several ways; export pads")


def kernel_of(site: OperatorContext, weight: Argument, kernel_shape: Sequence[int]) -> list[int]:
    """(height, width) of the weights, which must be what the node says of them."""
    kernel = list(site.fixed(weight, "weights").shape[2:])
    if kernel_shape and list(kernel_shape) != kernel:
        raise site.refuse(f"kernel_shape is {list(kernel_shape)}, but its weights are of {kernel}")
    return kernel


@_onnx("Conv")
def conv(
    site: OperatorContext,
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
    kernel = kernel_of(site, w, kernel_shape)
    padding = paddings(site, x, kernel, strides, dilations, pads, auto_pad)
    attributes = {"stride": list(strides), "padding": padding, "dilation": list(dilations), "groups": group}
    return site.convolve("conv2d", x, w, b, **attributes)


@_onnx("ConvTranspose")
def conv_transpose(
    site: OperatorContext,
    x: Value,
    w: Argument,
    b: Argument | None = None,
    *,
    kernel_shape: Sequence[int] = (),
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] = (1, 1),
    output_padding: Sequence[int] = (0, 0),
    output_shape: Sequence[int] = (),
    group: int = 1,
    auto_pad: str = "NOTSET",
) -> Value:
    kernel = kernel_of(site, w, kernel_shape)
    check_window(site, x, kernel, strides, dilations, pads, auto_pad)
    if len(output_padding) != 2 or min(output_padding) < 0:
        raise site.refuse(f"output_padding is {list(output_padding)}; it must be two numbers, none negative")
    # The rows and columns that the whole transposed convolution has, before any are cut off.
    whole = [
        (size - 1) * stride + (k - 1) * dilation + 1 + more
        for size, stride, k, dilation, more in zip(
            x.shape[2:], strides, kernel, dilations, output_padding, strict=True
        )
    ]
    wanted = list(output_shape[-2:])
    if not wanted and auto_pad.startswith("SAME"):
        wanted = [size * stride for size, stride in zip(x.shape[2:], strides, strict=True)]
    padding = list(pads or (0, 0, 0, 0)) if auto_pad == "NOTSET" else [0, 0, 0, 0]
    if wanted:
        # A result that is to be larger than the whole is cut nowhere, and stays smaller for SAME.
        totals = [max(0, size - goal) for size, goal in zip(whole, wanted, strict=True)]
        padding = _shared_out(totals, auto_pad)
    extra = list(output_padding)
    if output_shape:
        extra = [more + max(0, goal - n) for more, goal, n in zip(extra, wanted, whole, strict=True)]
    for axis in (0, 1):
        if extra[axis] >= max(strides[axis], dilations[axis]):
            raise site.refuse(
                f"output_padding {extra[axis]} is not supported; it must be below strides or dilations"
            )
    cut = [padding[0] + padding[2], padding[1] + padding[3]]
    if any(less >= size for less, size in zip(cut, whole, strict=True)):
        raise site.refuse(f"its pads, {padding}, leave nothing of its result of {whole}")
    attributes = {"stride": list(strides), "padding": padding, "output_padding": extra}
    attributes |= {"dilation": list(dilations)}
    return site.convolve("conv_transpose2d", x, w, b, groups=group, **attributes)


@_onnx("Gemm")
def gemm(
    site: OperatorContext,
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
    x, weight = site.running(a), site.fixed(b, "weights")
    if len(x.shape) != 2 or weight.dim() != 2:
        raise site.refuse(f"it must multiply matrices; they have shapes {x.shape} and {tuple(weight.shape)}")
    weight = (weight if transB else weight.T) * alpha
    if c is None:
        return site.convolve("linear", x, weight, None)
    bias = site.fixed(c, "biases") * beta
    rows, features = (1, 1, *bias.shape)[-2:]
    if bias.dim() > 2 or rows not in (1, x.shape[0]) or features not in (1, len(weight)):
        raise site.refuse(f"biases of shape {tuple(bias.shape)} do not fit {len(weight)} features")
    if bias.dim() < 2 or len(bias) == 1:
        return site.convolve("linear", x, weight, bias.broadcast_to(1, len(weight)))
    # A bias of its own for each row of the input.
    product = site.convolve("linear", x, weight, None)
    return site.emit("add", product, site.value(bias), part="bias")


@_onnx("MatMul")
def matmul(site: OperatorContext, a: Argument, b: Argument) -> Value:
    weight = site.fixed(b, "weights (the second input)")
    if weight.dim() != 2:
        raise site.refuse(f"its weights must be a matrix; they have shape {tuple(weight.shape)}")
    return site.convolve("linear", site.running(a), weight.T, None)


@_onnx("BatchNormalization")
def batch_normalization(
    site: OperatorContext,
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
    if training_mode or not spatial or site.outputs > 1:
        raise site.refuse("a batch norm in training mode is not supported; export the network in eval mode")
    weight, bias, mean, var = (site.fixed(tensor, "statistics") for tensor in (scale, b, mean, var))
    return site.batch_norm(x, weight, bias, mean, var, epsilon)


@_onnx("MaxPool")
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
