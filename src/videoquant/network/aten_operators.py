"""How PyTorch's aten operators become nodes. One function each, its parameters as in aten's schema.

Long because these are so many; others are in `aten_shapes`, `aten_select`, `aten_math` and `aten_norms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from videoquant.network.builder import Argument, OperatorContext, OperatorRegistry, Value, dimensions

ATEN = OperatorRegistry()
_aten = ATEN.register


def pair(numbers: int | Sequence[int]) -> list[int]:
    """Height and width of an argument that may be one number for both."""
    both = [numbers] if isinstance(numbers, int) else list(numbers)
    return both * 2 if len(both) == 1 else both


@_aten("conv2d")
def conv2d(
    site: OperatorContext,
    x: Value,
    weight: Argument,
    bias: Argument | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Value:
    if isinstance(padding, str):
        kernel = site.fixed(weight, "weights").shape[2:]
        totals = [d * (k - 1) * (padding == "same") for d, k in zip(pair(dilation), kernel, strict=True)]
        sides = [total // 2 for total in totals] + [total - total // 2 for total in totals]
    else:
        sides = pair(padding) * 2
    attributes = {"stride": pair(stride), "padding": sides, "dilation": pair(dilation), "groups": groups}
    return site.convolve("conv2d", x, weight, bias, **attributes)


@_aten("conv_transpose2d")
def conv_transpose2d(
    site: OperatorContext,
    x: Value,
    weight: Argument,
    bias: Argument | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Value:
    attributes = {"stride": pair(stride), "padding": pair(padding) * 2, "dilation": pair(dilation)}
    attributes |= {"output_padding": pair(output_padding)}
    return site.convolve("conv_transpose2d", x, weight, bias, groups=groups, **attributes)


@_aten("convolution")
def convolution(
    site: OperatorContext,
    x: Value,
    weight: Argument,
    bias: Argument | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Value:
    if transposed:
        return conv_transpose2d(site, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return conv2d(site, x, weight, bias, stride, padding, dilation, groups)


@_aten("linear")
def linear(site: OperatorContext, x: Value, weight: Argument, bias: Argument | None = None) -> Value:
    return site.convolve("linear", x, weight, bias)


@_aten("addmm")
def addmm(
    site: OperatorContext, bias: Argument, x: Argument, weight: Argument, *, beta: float = 1, alpha: float = 1
) -> Value:
    matrix = site.fixed(weight, "weights").T * alpha
    biases = (site.fixed(bias, "biases") * beta).broadcast_to(1, len(matrix))
    return site.convolve("linear", site.running(x), matrix, biases)


@_aten("_native_batch_norm_legit_no_training")
def batch_norm(
    site: OperatorContext,
    x: Value,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    momentum: float,
    eps: float,
) -> Sequence[Value | None]:
    return [site.batch_norm(x, weight, bias, mean, var, eps), None, None]


@_aten("instance_norm")
def instance_norm(
    site: OperatorContext,
    x: Value,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Value:
    if not use_input_stats and mean is not None and var is not None:
        return site.batch_norm(x, weight, bias, mean, var, eps)
    y = site.emit("instance_norm", x, eps=eps)
    if weight is None or bias is None:
        return y
    return site.emit("affine", y, part="affine", tensors={"weight": weight, "bias": bias})


def _unary(name: str, op: str | None = None, **attributes: Any) -> None:
    """An operator without arguments of its own."""

    def unary(site: OperatorContext, x: Value) -> Value:
        return site.emit(op or name, x, **attributes)

    _aten(name)(unary)


for _name in ("hardswish", "hardsigmoid", "sigmoid", "silu", "tanh", "erf"):
    _unary(_name)
_unary("relu", "clamp", min=0.0)
_unary("relu6", "clamp", min=0.0, max=6.0)


@_aten("clamp", "hardtanh")
def clamp(site: OperatorContext, x: Value, min: Any = None, max: Any = None) -> Value:
    limits = {side: v for side, v in (("min", min), ("max", max)) if v is not None}
    if all(not isinstance(v, Value) and torch.as_tensor(v).numel() == 1 for v in limits.values()):
        numbers: dict[str, Any] = {side: float(v) for side, v in limits.items()}
        return site.emit("clamp", x, **numbers)
    if min is not None:
        x = site.emit("maximum", x, site.value(min), part="least")
    return x if max is None else site.emit("minimum", x, site.value(max), part="most")


@_aten("clamp_min")
def clamp_min(site: OperatorContext, x: Value, min: Any) -> Value:
    return clamp(site, x, min)


@_aten("clamp_max")
def clamp_max(site: OperatorContext, x: Value, max: Any) -> Value:
    return clamp(site, x, None, max)


@_aten("leaky_relu")
def leaky_relu(site: OperatorContext, x: Value, negative_slope: float = 0.01) -> Value:
    return site.emit("leaky_relu", x, slope=float(negative_slope))


@_aten("prelu", "_prelu_kernel")
def prelu(site: OperatorContext, x: Value, weight: Argument) -> Value:
    return site.emit("prelu", x, tensors={"weight": site.fixed(weight, "slopes").flatten()})


@_aten("gelu")
def gelu(site: OperatorContext, x: Value, *, approximate: str = "none") -> Value:
    return site.emit("gelu", x, approximate=approximate)


@_aten("elu")
def elu(
    site: OperatorContext, x: Value, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0
) -> Value:
    """scale · max(0, x) + scale · α · min(0, e^(input_scale · x) − 1); with a scale it is selu."""
    if input_scale != 1:
        raise site.refuse(f"an elu with input_scale {input_scale} is not supported")
    y = site.emit("elu", x, alpha=float(alpha))
    return y if scale == 1 else site.emit("mul", y, site.value(float(scale)), part="scaled")


@_aten("softmax", "_softmax")
def softmax(site: OperatorContext, x: Value, dim: int, dtype: Any = None) -> Value:
    return site.emit("softmax", x, dim=dim % len(x.shape))


def _scaled(site: OperatorContext, argument: Argument, alpha: float) -> Value:
    """argument · alpha, where alpha is a number of add and sub."""
    if alpha == 1:
        return site.value(argument)
    if not isinstance(argument, Value):
        return site.value(torch.as_tensor(argument, device="cpu") * alpha)
    return site.emit("mul", argument, site.value(alpha), part="alpha")


@_aten("add")
def add(site: OperatorContext, x: Argument, other: Argument, *, alpha: float = 1) -> Value:
    return site.emit("add", site.value(x), _scaled(site, other, alpha))


@_aten("sub")
def sub(site: OperatorContext, x: Argument, other: Argument, *, alpha: float = 1) -> Value:
    return site.emit("sub", site.value(x), _scaled(site, other, alpha))


@_aten("rsub")
def rsub(site: OperatorContext, x: Argument, other: Argument, alpha: float = 1) -> Value:
    return site.emit("sub", site.value(other), _scaled(site, x, alpha))


@_aten("mul")
def mul(site: OperatorContext, x: Argument, other: Argument) -> Value:
    return site.emit("mul", site.value(x), site.value(other))


@_aten("div")
def div(site: OperatorContext, x: Argument, other: Argument, *, rounding_mode: str | None = None) -> Value:
    ratio = site.emit("div", site.value(x), site.value(other))
    return ratio if rounding_mode is None else site.emit(rounding_mode, ratio)


@_aten("reciprocal")
def reciprocal(site: OperatorContext, x: Value) -> Value:
    return site.emit("div", site.value(1.0), x)


@_aten("neg")
def neg(site: OperatorContext, x: Value) -> Value:
    return site.emit("mul", x, site.value(-1.0))


@_aten("max_pool2d")
def max_pool2d(
    site: OperatorContext,
    x: Value,
    kernel_size: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Value:
    kernel = pair(kernel_size)
    attributes: dict[str, Any] = {"kernel": kernel, "stride": pair(stride or kernel), "ceil": ceil_mode}
    return site.emit("max_pool2d", x, padding=pair(padding) * 2, dilation=pair(dilation), **attributes)


@_aten("max_pool2d_with_indices")
def max_pool2d_with_indices(site: OperatorContext, x: Value, *arguments: Any) -> Sequence[Value | None]:
    return [max_pool2d(site, x, *arguments), None]


@_aten("avg_pool2d")
def avg_pool2d(
    site: OperatorContext,
    x: Value,
    kernel_size: Any,
    stride: Any = (),
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Value:
    if divisor_override is not None:
        raise site.refuse("an average pool with divisor_override is not supported")
    kernel = pair(kernel_size)
    attributes: dict[str, Any] = {"kernel": kernel, "stride": pair(stride or kernel), "ceil": ceil_mode}
    return site.emit("avg_pool2d", x, padding=pair(padding), count_padding=count_include_pad, **attributes)


@_aten("adaptive_avg_pool2d", "_adaptive_avg_pool2d")
def adaptive_avg_pool2d(site: OperatorContext, x: Value, output_size: Any) -> Value:
    return site.emit("adaptive_avg_pool2d", x, size=pair(output_size))


@_aten("adaptive_max_pool2d")
def adaptive_max_pool2d(site: OperatorContext, x: Value, output_size: Any) -> Sequence[Value | None]:
    """The largest of each part; parts may overlap, as PyTorch cuts them."""
    if pair(output_size) == [1, 1]:
        return [site.emit("amax", x, dims=[2, 3], keepdim=True), None]
    for dim, parts in zip((2, 3), pair(output_size), strict=True):
        size = x.shape[dim]
        if parts is None or parts == size:
            continue
        ends = [(i * size // parts, -(-(i + 1) * size // parts)) for i in range(parts)]
        pieces = [site.slice(x, dim, begin, end) for begin, end in ends]
        x = site.emit(
            "concat", *(site.emit("amax", p, dims=[dim], keepdim=True, part="part") for p in pieces), dim=dim
        )
    return [x, None]


def _sums(op: str) -> None:
    """A reduction over some dimensions, or over all where none is named."""

    def read(
        site: OperatorContext, x: Value, dim: Any = (), keepdim: bool = False, *, dtype: Any = None
    ) -> Value:
        dims = [dim] if isinstance(dim, int) else dim or ()
        return site.emit(op, x, dims=dimensions(dims, len(x.shape)), keepdim=keepdim)

    _aten(op)(read)


def _extremes(op: str) -> None:
    """A reduction that names its dimensions."""

    def read(site: OperatorContext, x: Value, dim: Any = (), keepdim: bool = False) -> Value:
        return site.emit(op, x, dims=dimensions(dim, len(x.shape)), keepdim=keepdim)

    _aten(op)(read)


for _op in ("mean", "sum"):
    _sums(_op)
for _op in ("amax", "amin"):
    _extremes(_op)


def _resize(site: OperatorContext, x: Value, size: Any, scales: Sequence[Any], **attributes: Any) -> Value:
    """scales: one list of two factors ("vec" form), or the two factors; they rule where they are given."""
    factors = scales[0] if len(scales) == 1 else list(scales)
    if factors and None not in factors:
        return site.emit("resize", x, scale=[float(factor) for factor in factors], **attributes)
    return site.emit("resize", x, size=list(size), **attributes)


@_aten("upsample_nearest2d")
def upsample_nearest2d(site: OperatorContext, x: Value, output_size: Any, *scales: Any) -> Value:
    return _resize(site, x, output_size, scales, mode="nearest")


@_aten("upsample_bilinear2d")
def upsample_bilinear2d(
    site: OperatorContext, x: Value, output_size: Any, align_corners: bool, *scales: Any
) -> Value:
    return _resize(site, x, output_size, scales, mode="bilinear", align_corners=align_corners)
