"""Operators that compute each element by itself, of one value or of several that are broadcast."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from videoquant.runtime.operators.registry import Array, operator, operator_sized, single


def _broadcast_elements(*values: Array) -> int:
    return math.prod(np.broadcast_shapes(*(value.shape for value in values)))


@operator
def affine(x: Array, *, weight: Array, bias: Array) -> Array:
    """x · weight + bias per channel (dimension 1)."""
    shape = (1, -1) + (1,) * (x.ndim - 2)
    return x * weight.reshape(shape) + bias.reshape(shape)


@operator_sized(_broadcast_elements)
def add(a: Array, b: Array) -> Array:
    return a + b


@operator_sized(_broadcast_elements)
def sub(a: Array, b: Array) -> Array:
    return a - b


@operator_sized(_broadcast_elements)
def mul(a: Array, b: Array) -> Array:
    return a * b


@operator_sized(_broadcast_elements)
def div(a: Array, b: Array) -> Array:
    return a / b


@operator_sized(_broadcast_elements)
def pow(a: Array, b: Array) -> Array:
    return single(np.power(a.astype(np.float64), b))


@operator_sized(_broadcast_elements)
def fmod(a: Array, b: Array) -> Array:
    """What is left of a / b, with the sign of a."""
    return np.asarray(np.fmod(a, b))


@operator_sized(_broadcast_elements)
def minimum(a: Array, b: Array) -> Array:
    return np.asarray(np.minimum(a, b))


@operator_sized(_broadcast_elements)
def maximum(a: Array, b: Array) -> Array:
    return np.maximum(a, b)


@operator_sized(_broadcast_elements)
def equal(a: Array, b: Array) -> Array:
    """1 where it is so, else 0; as in the other comparisons."""
    return np.asarray(a == b, np.float32)


@operator_sized(_broadcast_elements)
def greater(a: Array, b: Array) -> Array:
    return (a > b).astype(np.float32)


@operator_sized(_broadcast_elements)
def greater_equal(a: Array, b: Array) -> Array:
    return (a >= b).astype(np.float32)


@operator_sized(_broadcast_elements)
def where(condition: Array, a: Array, b: Array) -> Array:
    return np.where(condition != 0, a, b)


@operator
def exp(x: Array) -> Array:
    return single(np.exp(x.astype(np.float64)))


@operator
def log(x: Array) -> Array:
    return single(np.log(x.astype(np.float64)))


@operator
def sqrt(x: Array) -> Array:
    return np.sqrt(x)


@operator
def abs(x: Array) -> Array:
    return np.abs(x)


@operator
def sign(x: Array) -> Array:
    return np.asarray(np.sign(np.nan_to_num(x, nan=0.0)))


@operator
def floor(x: Array) -> Array:
    return np.floor(x)


@operator
def ceil(x: Array) -> Array:
    return np.ceil(x)


@operator
def round(x: Array) -> Array:
    """Half to even."""
    return np.asarray(np.rint(x))


@operator
def fake_quantize(x: Array, *, scale: float, zero_point: int, low: int, high: int) -> Array:
    """x̂ of the codes low to high; half to even."""
    single = np.float32(scale)
    return np.clip(np.rint(x / single), low - zero_point, high - zero_point) * single


@operator
def trunc(x: Array) -> Array:
    return np.asarray(np.trunc(x))


@operator
def sin(x: Array) -> Array:
    return single(np.sin(x.astype(np.float64)))


@operator
def cos(x: Array) -> Array:
    return single(np.cos(x.astype(np.float64)))


@operator
def softplus(x: Array) -> Array:
    """log(1 + eˣ)."""
    return single(np.logaddexp(0, x.astype(np.float64)))


@operator
def mish(x: Array) -> Array:
    """x · tanh(softplus(x))."""
    wide = x.astype(np.float64)
    return single(wide * np.tanh(np.logaddexp(0, wide)))


@operator
def clamp(x: Array, *, min: float | None = None, max: float | None = None) -> Array:
    x = x if min is None else np.maximum(x, np.float32(min))
    return x if max is None else np.minimum(x, np.float32(max))


@operator
def leaky_relu(x: Array, *, slope: float) -> Array:
    return np.where(x > 0, x, x * np.float32(slope))


@operator
def prelu(x: Array, *, weight: Array) -> Array:
    """weight: one slope, or one per channel."""
    slope = weight if weight.size == 1 else weight.reshape((1, -1) + (1,) * (x.ndim - 2))
    return np.where(x > 0, x, x * slope)


@operator
def hardswish(x: Array) -> Array:
    inner = np.minimum(np.maximum(x + np.float32(3), np.float32(0)), np.float32(6))
    return x * inner / np.float32(6)


@operator
def hardsigmoid(x: Array, *, alpha: float = 1 / 6, beta: float = 0.5) -> Array:
    """clip(alpha · x + beta, 0, 1)."""
    return clamp(x * np.float32(alpha) + np.float32(beta), min=0.0, max=1.0)


@operator
def sigmoid(x: Array) -> Array:
    return single(1 / (1 + np.exp(-x.astype(np.float64))))


@operator
def silu(x: Array) -> Array:
    wide = x.astype(np.float64)
    return single(wide / (1 + np.exp(-wide)))


@operator
def gelu(x: Array, *, approximate: str = "none") -> Array:
    wide = x.astype(np.float64)
    if approximate == "tanh":
        inner = np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3))
    else:
        inner = _erf(wide / math.sqrt(2))
    return single(0.5 * wide * (1 + inner))


@operator
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    below = alpha * np.expm1(x.astype(np.float64))
    return np.where(x > 0, x, below.astype(np.float32))


@operator
def tanh(x: Array) -> Array:
    return single(np.tanh(x.astype(np.float64)))


@operator
def erf(x: Array) -> Array:
    return single(_erf(x.astype(np.float64)))


@operator
def round_to(x: Array, *, dtype: str) -> Array:
    """The nearest number that `dtype`, float16 or bfloat16, has; beyond its largest, infinity."""
    if dtype == "float16":
        return x.astype(np.float16).astype(np.float32)
    bits = np.ascontiguousarray(x).view(np.uint32)
    # bfloat16 is the upper half of float32; half to even. A carry may lead to infinity, as it should.
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), np.float32(np.nan), rounded.view(np.float32))


def _erf(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """NumPy has none; rarely needed, so value by value."""
    flat = np.fromiter(map(math.erf, x.ravel().tolist()), np.float64, x.size)
    return flat.reshape(x.shape)
