"""How aten operators become nodes: functions, comparisons, products. See `aten_operators`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

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
_binary("fmod", "fmod")
_binary("lt", "greater", turned=True)
_binary("le", "greater_equal", turned=True)


@_aten("ne")
def ne(site: OperatorContext, x: Argument, other: Argument) -> Value:
    equal = site.emit("equal", site.value(x), site.value(other), part="equal")
    return site.emit("sub", site.value(1.0), equal)


@_aten("isnan")
def isnan(site: OperatorContext, x: Value) -> Value:
    """What does not equal itself."""
    return ne(site, x, x)


@_aten("logical_not", "bitwise_not")
def logical_not(site: OperatorContext, x: Value) -> Value:
    return site.emit("equal", x, site.value(0.0))


@_aten("logical_and", "bitwise_and")
def logical_and(site: OperatorContext, x: Argument, other: Argument) -> Value:
    """Of truth values, which are 0 and 1."""
    return site.emit("minimum", site.value(x), site.value(other))


@_aten("logical_or", "bitwise_or")
def logical_or(site: OperatorContext, x: Argument, other: Argument) -> Value:
    return site.emit("maximum", site.value(x), site.value(other))


@_aten("remainder")
def remainder(site: OperatorContext, x: Argument, other: Argument) -> Value:
    """x − ⌊x / y⌋ · y, of the divisor's sign."""
    whole, divisor = site.value(x), site.value(other)
    times = site.emit("floor", site.emit("div", whole, divisor, part="ratio"), part="times")
    return site.emit("sub", whole, site.emit("mul", times, divisor, part="product"))


@_aten("lerp")
def lerp(site: OperatorContext, x: Argument, end: Argument, weight: Argument) -> Value:
    begin = site.value(x)
    distance = site.emit("sub", site.value(end), begin, part="distance")
    return site.emit("add", begin, site.emit("mul", distance, site.value(weight), part="way"))


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


@_aten("log1p")
def log1p(site: OperatorContext, x: Value) -> Value:
    return site.emit("log", site.emit("add", x, site.value(1.0), part="more"))


@_aten("expm1")
def expm1(site: OperatorContext, x: Value) -> Value:
    """eˣ − 1, which below 0 is what elu is."""
    return site.emit("sub", site.emit("exp", x, part="exp"), site.value(1.0))


def _to_base(name: str, base: float) -> None:
    def logarithm(site: OperatorContext, x: Value) -> Value:
        return site.emit("mul", site.emit("log", x, part="log"), site.value(1 / math.log(base)))

    _aten(name)(logarithm)


_to_base("log2", 2)
_to_base("log10", 10)


@_aten("exp2")
def exp2(site: OperatorContext, x: Value) -> Value:
    return site.emit("exp", site.emit("mul", x, site.value(math.log(2)), part="power"))


@_aten("tan")
def tan(site: OperatorContext, x: Value) -> Value:
    return site.emit("div", site.emit("sin", x, part="sin"), site.emit("cos", x, part="cos"))


@_aten("nan_to_num")
def nan_to_num(
    site: OperatorContext,
    x: Value,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Value:
    largest = torch.finfo(torch.float32).max
    low, high = -largest if neginf is None else neginf, largest if posinf is None else posinf
    there = site.emit("equal", x, x, part="is_number")
    number = site.emit("where", there, x, site.value(float(nan or 0)), part="number")
    return site.emit("clamp", number, min=float(low), max=float(high))


@_aten("log_sigmoid")
def log_sigmoid(site: OperatorContext, x: Value) -> Value:
    """−log(1 + e⁻ˣ)."""
    turned = site.emit("mul", x, site.value(-1.0), part="turned")
    return site.emit("mul", site.emit("softplus", turned, part="softplus"), site.value(-1.0))


@_aten("celu")
def celu(site: OperatorContext, x: Value, alpha: float = 1.0) -> Value:
    """α · elu(x / α)."""
    curve = site.emit("elu", site.emit("div", x, site.value(float(alpha)), part="scaled"), part="elu")
    return site.emit("mul", curve, site.value(float(alpha)))


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
    return _over_rows(site, "conv2d", x, weight, bias, groups=groups, **attributes)


@_aten("conv_transpose1d")
def conv_transpose1d(
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
    numbers = (stride, padding, output_padding, dilation)
    (step,), (side,), (more,), (apart,) = ([pair(value)[-1]] for value in numbers)
    attributes: dict[str, Any] = {"stride": [1, step], "padding": [0, side, 0, side], "dilation": [1, apart]}
    attributes |= {"groups": groups, "output_padding": [0, more]}
    return _over_rows(site, "conv_transpose2d", x, weight, bias, **attributes)


def _over_rows(
    site: OperatorContext, op: str, x: Value, weight: Argument, bias: Argument | None, **attributes: Any
) -> Value:
    """A convolution over one dimension, as one over pictures of a single row."""
    kernel = site.fixed(weight, "weights").unsqueeze(2)
    rows = site.reshape(x, (*x.shape[:2], 1, x.shape[2]))
    y = site.convolve(op, rows, kernel, bias, **attributes)
    return site.reshape(y, (*y.shape[:2], y.shape[3]))


@_aten("upsample_bicubic2d")
def upsample_bicubic2d(
    site: OperatorContext, x: Value, output_size: Any, align_corners: bool, *scales: Any
) -> Value:
    factors = scales[0] if len(scales) == 1 else list(scales)
    how: dict[str, Any] = {"mode": "bicubic", "align_corners": align_corners}
    if factors and None not in factors:
        return site.emit("resize", x, scale=[float(factor) for factor in factors], **how)
    return site.emit("resize", x, size=list(output_size), **how)
