"""How aten operators become nodes: functions, comparisons, products of activations, selections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from videoquant.network.aten_operators import pair
from videoquant.network.builder import Argument, OperatorContext, OperatorRegistry, Value
from videoquant.ranges.grid import check_scale

ATEN_MATH = OperatorRegistry()
_aten = ATEN_MATH.register


def _unary(name: str, op: str) -> None:
    def unary(site: OperatorContext, x: Value) -> Value:
        return site.emit(op, x)

    _aten(name)(unary)


def _binary(name: str, op: str, turned: bool = False) -> None:
    def binary(site: OperatorContext, x: Argument, other: Argument) -> Value:
        values = [site.value(x), site.value(other)]
        return site.emit(op, *(values[::-1] if turned else values))

    _aten(name)(binary)


for _name in ("exp", "log", "sqrt", "abs", "sign", "floor", "ceil", "trunc", "sin", "cos", "mish"):
    _unary(_name, _name)
for _name, _op in (("maximum", "maximum"), ("minimum", "minimum"), ("eq", "equal"), ("gt", "greater")):
    _binary(_name, _op)
_binary("ge", "greater_equal")
_binary("lt", "greater", turned=True)
_binary("le", "greater_equal", turned=True)


@_aten("matmul", "mm", "bmm")
def matmul(site: OperatorContext, x: Argument, other: Argument) -> Value:
    """A constant matrix behind makes a linear layer, all else a product of two values."""
    if isinstance(x, Value) and not isinstance(other, Value):
        weight = site.fixed(other, "weights")
        if weight.dim() == 2 <= len(x.shape):
            return site.convolve("linear", x, weight.T, None)
    return site.emit("matmul", site.value(x), site.value(other))


@_aten("round")
def round_(site: OperatorContext, x: Value) -> Value:
    return site.emit("round", x)


@_aten("rsqrt")
def rsqrt(site: OperatorContext, x: Value) -> Value:
    return site.emit("div", site.value(1.0), site.emit("sqrt", x, part="sqrt"))


@_aten("square")
def square(site: OperatorContext, x: Value) -> Value:
    return site.emit("mul", x, x)


@_aten("fake_quantize_per_tensor_affine")
def fake_quantize(
    site: OperatorContext, x: Value, scale: float, zero_point: int, quant_min: int, quant_max: int
) -> Value:
    check_scale(scale, site.place)
    single = float(np.float32(scale))
    return site.emit("fake_quantize", x, scale=single, zero_point=zero_point, low=quant_min, high=quant_max)


@_aten("softplus")
def softplus(site: OperatorContext, x: Value, beta: float = 1, threshold: float = 20) -> Value:
    if beta != 1:
        raise site.refuse(f"a softplus with beta {beta} is not supported")
    return site.emit("softplus", x)


@_aten("pow")
def power(site: OperatorContext, x: Argument, exponent: Argument) -> Value:
    if isinstance(x, Value) and isinstance(exponent, int | float):
        match float(exponent):
            case 2.0:
                return site.emit("mul", x, x)
            case 0.5:
                return site.emit("sqrt", x)
    return site.emit("pow", site.value(x), site.value(exponent))


@_aten("where")
def where(site: OperatorContext, condition: Argument, x: Argument, other: Argument) -> Value:
    return site.emit("where", site.value(condition), site.value(x), site.value(other))


@_aten("argmax")
def argmax(site: OperatorContext, x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    if dim is None:
        raise site.refuse("the largest of all elements is not supported; name a dimension")
    return site.whole(site.emit("argmax", x, dim=dim % len(x.shape), keepdim=keepdim))


@_aten("topk")
def topk(
    site: OperatorContext, x: Value, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Sequence[Value]:
    attributes: dict[str, Any] = {"k": k, "dim": dim % len(x.shape), "largest": largest}
    values = site.emit("topk_values", x, part="values", **attributes)
    return [values, site.whole(site.emit("topk_indices", x, part="indices", **attributes))]


@_aten("index_select")
def index_select(site: OperatorContext, x: Argument, dim: int, index: Argument) -> Value:
    value = site.value(x)
    return site.emit("gather", value, site.value(index), dim=dim % len(value.shape))


@_aten("gather")
def gather(
    site: OperatorContext, x: Argument, dim: int, index: Argument, *, sparse_grad: bool = False
) -> Value:
    value = site.value(x)
    return site.emit("gather_elements", value, site.value(index), dim=dim % len(value.shape))


@_aten("expand")
def expand(site: OperatorContext, x: Value, size: Sequence[int], *, implicit: bool = False) -> Value:
    more = len(size) - len(x.shape)
    shape = [x.shape[i - more] if n == -1 else n for i, n in enumerate(size)]
    return x if tuple(shape) == x.shape else site.emit("expand", x, shape=shape)


@_aten("repeat")
def repeat(site: OperatorContext, x: Value, repeats: Sequence[int]) -> Value:
    whole = site.reshape(x, (*[1] * (len(repeats) - len(x.shape)), *x.shape))
    return site.emit("tile", whole, repeats=list(repeats))


@_aten("pixel_unshuffle")
def pixel_unshuffle(site: OperatorContext, x: Value, downscale_factor: int) -> Value:
    (n, c, h, w), r = x.shape, downscale_factor
    blocks = site.permute(site.reshape(x, (n, c, h // r, r, w // r, r)), (0, 1, 3, 5, 2, 4))
    return site.reshape(blocks, (n, c * r * r, h // r, w // r))


@_aten("grid_sampler", "grid_sampler_2d")
def grid_sampler(
    site: OperatorContext,
    x: Argument,
    grid: Argument,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
) -> Value:
    mode = ("bilinear", "nearest", "bicubic")[interpolation_mode]
    padding = ("zeros", "border", "reflection")[padding_mode]
    known: dict[str, Any] = {"mode": mode, "padding": padding, "align_corners": align_corners}
    return site.emit("grid_sample", site.value(x), site.value(grid), **known)


@_aten("conv1d")
def conv1d(
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
        raise site.refuse(f"padding {padding!r} is not supported over one dimension; give numbers")
    (step,), (side,), (apart,) = ([pair(value)[-1]] for value in (stride, padding, dilation))
    attributes: dict[str, Any] = {"stride": [1, step], "padding": [0, side, 0, side], "dilation": [1, apart]}
    kernel = site.fixed(weight, "weights").unsqueeze(2)
    rows = site.reshape(x, (*x.shape[:2], 1, x.shape[2]))
    y = site.convolve("conv2d", rows, kernel, bias, groups=groups, **attributes)
    return site.reshape(y, (*y.shape[:2], y.shape[3]))


@_aten("layer_norm")
def layer_norm(
    site: OperatorContext,
    x: Value,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Value:
    y = site.emit("layer_norm", x, dims=len(normalized_shape), eps=eps, part="normalized")
    return site.scaled(y, weight, bias)


@_aten("group_norm")
def group_norm(
    site: OperatorContext,
    x: Value,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Value:
    y = site.emit("group_norm", x, groups=num_groups, eps=eps)
    if weight is None or bias is None:
        return y
    return site.emit("affine", y, part="affine", tensors={"weight": weight, "bias": bias})


@_aten("scaled_dot_product_attention")
def attention(
    site: OperatorContext,
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Argument | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    """softmax(q · kᵀ · scale + mask) · v."""
    if is_causal or enable_gqa:
        raise site.refuse("causal attention, or with groups of queries, is not supported")
    rank = len(key.shape)
    turned = site.permute(key, (*range(rank - 2), rank - 1, rank - 2))
    products = site.emit("matmul", query, turned, part="products")
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = site.emit("mul", products, site.value(factor), part="scaled")
    if attn_mask is not None:
        scores = site.emit("add", scores, site.value(attn_mask), part="masked")
    weights = site.emit("softmax", scores, dim=rank - 1, part="weights")
    return site.emit("matmul", weights, value)


@_aten("upsample_bicubic2d")
def upsample_bicubic2d(
    site: OperatorContext, x: Value, output_size: Any, align_corners: bool, *scales: Any
) -> Value:
    factors = scales[0] if len(scales) == 1 else list(scales)
    how: dict[str, Any] = {"mode": "bicubic", "align_corners": align_corners}
    if factors and None not in factors:
        return site.emit("resize", x, scale=[float(factor) for factor in factors], **how)
    return site.emit("resize", x, size=list(output_size), **how)
