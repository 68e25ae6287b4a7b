"""What a plan computes behind its programs, in NumPy: one function per operator of `network/operators.py`.

What moves values, compares them, or does one operation at a time gives PyTorch's bits. Others are computed in
float64 and rounded to float32 once (sigmoid, silu, gelu, elu, tanh, erf, softmax, mean, average pools), and
bilinear resizing is the engine's. There PyTorch's own bits depend on its version, the CPU's vectors and how a
tensor lies in memory; these do not.

Long because every operator has its function here, as in `network/operators.py`.

One file, though a long one: it is a table, to be read beside that of PyTorch's operators.

A function's positional arguments are the values that a node reads, its keyword arguments the node's tensors
and attributes. Values are float32, N×C×H×W or of any other shape.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.runtime.program import PostprocessNode

# float32; what NumPy gives is not said by its types, so those say nothing here.
Array = NDArray[Any]

OPERATORS: dict[str, Callable[..., Array]] = {}


def run(
    nodes: Sequence[PostprocessNode],
    values: dict[str, Array],
    allow: Callable[[str, int], None] = lambda name, elements: None,
    hold: Callable[[PostprocessNode, Sequence[Array], Array], Array] = lambda node, inputs, y: y,
) -> None:
    """Run nodes in order; each adds its value to `values`, which holds what they read.

    allow: raises where a value has more elements than it may; it is asked before one is computed.
    hold: gives what a node's value is in the end, for what it reads and what was computed.
    """
    for node in nodes:
        inputs = [values[name] for name in node.inputs]
        elements = _ELEMENTS.get(node.op)
        if elements is not None:
            allow(node.name, elements(*inputs, **node.attributes))
        with np.errstate(all="ignore"):  # infinity and NaN go their way, as in PyTorch
            y = np.asarray(OPERATORS[node.op](*inputs, **node.tensors, **node.attributes))
        values[node.name] = hold(node, inputs, y)


def operator(function: Callable[..., Array]) -> Callable[..., Array]:
    OPERATORS[function.__name__] = function
    return function


@operator
def constant(*, value: Array) -> Array:
    return value.copy()  # a plan's array, which a user who writes into an output must not change


@operator
def affine(x: Array, *, weight: Array, bias: Array) -> Array:
    """x · weight + bias per channel (dimension 1)."""
    shape = (1, -1) + (1,) * (x.ndim - 2)
    return x * weight.reshape(shape) + bias.reshape(shape)


@operator
def add(a: Array, b: Array) -> Array:
    return a + b


@operator
def sub(a: Array, b: Array) -> Array:
    return a - b


@operator
def mul(a: Array, b: Array) -> Array:
    return a * b


@operator
def div(a: Array, b: Array) -> Array:
    return a / b


@operator
def pow(a: Array, b: Array) -> Array:
    return _single(np.power(a.astype(np.float64), b))


@operator
def fmod(a: Array, b: Array) -> Array:
    """What is left of a / b, with the sign of a."""
    return np.asarray(np.fmod(a, b))


@operator
def minimum(a: Array, b: Array) -> Array:
    return np.asarray(np.minimum(a, b))


@operator
def maximum(a: Array, b: Array) -> Array:
    return np.maximum(a, b)


@operator
def equal(a: Array, b: Array) -> Array:
    """1 where it is so, else 0; as in the other comparisons."""
    return np.asarray(a == b, np.float32)


@operator
def greater(a: Array, b: Array) -> Array:
    return (a > b).astype(np.float32)


@operator
def greater_equal(a: Array, b: Array) -> Array:
    return (a >= b).astype(np.float32)


@operator
def where(condition: Array, a: Array, b: Array) -> Array:
    return np.where(condition != 0, a, b)


@operator
def matmul(a: Array, b: Array) -> Array:
    return _single(np.matmul(a.astype(np.float64), b.astype(np.float64)))


@operator
def exp(x: Array) -> Array:
    return _single(np.exp(x.astype(np.float64)))


@operator
def log(x: Array) -> Array:
    return _single(np.log(x.astype(np.float64)))


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
def trunc(x: Array) -> Array:
    return np.asarray(np.trunc(x))


@operator
def sin(x: Array) -> Array:
    return _single(np.sin(x.astype(np.float64)))


@operator
def cos(x: Array) -> Array:
    return _single(np.cos(x.astype(np.float64)))


@operator
def softplus(x: Array) -> Array:
    """log(1 + eˣ)."""
    return _single(np.logaddexp(0, x.astype(np.float64)))


@operator
def mish(x: Array) -> Array:
    """x · tanh(softplus(x))."""
    wide = x.astype(np.float64)
    return _single(wide * np.tanh(np.logaddexp(0, wide)))


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
    return _single(1 / (1 + np.exp(-x.astype(np.float64))))


@operator
def silu(x: Array) -> Array:
    wide = x.astype(np.float64)
    return _single(wide / (1 + np.exp(-wide)))


@operator
def gelu(x: Array, *, approximate: str = "none") -> Array:
    wide = x.astype(np.float64)
    if approximate == "tanh":
        inner = np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3))
    else:
        inner = _erf(wide / math.sqrt(2))
    return _single(0.5 * wide * (1 + inner))


@operator
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    below = alpha * np.expm1(x.astype(np.float64))
    return np.where(x > 0, x, below.astype(np.float32))


@operator
def tanh(x: Array) -> Array:
    return _single(np.tanh(x.astype(np.float64)))


@operator
def erf(x: Array) -> Array:
    return _single(_erf(x.astype(np.float64)))


@operator
def round_to(x: Array, *, dtype: str) -> Array:
    """The nearest number that `dtype`, float16 or bfloat16, has; beyond its largest, infinity."""
    if dtype == "float16":
        return x.astype(np.float16).astype(np.float32)
    bits = np.ascontiguousarray(x).view(np.uint32)
    # bfloat16 is the upper half of float32; half to even. A carry may lead to infinity, as it should.
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), np.float32(np.nan), rounded.view(np.float32))


@operator
def instance_norm(x: Array, *, eps: float) -> Array:
    return _normalized(x, tuple(range(2, x.ndim)), eps)


@operator
def group_norm(x: Array, *, groups: int, eps: float) -> Array:
    return _normalized(x.reshape(x.shape[0], groups, -1), (2,), eps).reshape(x.shape)


@operator
def layer_norm(x: Array, *, dims: int, eps: float) -> Array:
    """Over the last `dims` dimensions."""
    return _normalized(x, tuple(range(x.ndim - dims, x.ndim)), eps)


def _normalized(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    wide = x.astype(np.float64)
    wide = wide - wide.mean(axes, keepdims=True)
    return _single(wide / np.sqrt(np.square(wide).mean(axes, keepdims=True) + eps))


@operator
def softmax(x: Array, *, dim: int) -> Array:
    powers = np.exp(x.astype(np.float64) - x.max(dim, keepdims=True))
    return _single(powers / powers.sum(dim, keepdims=True))


@operator
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
        rows = builtins.slice(i * dilation[0], i * dilation[0] + (size[0] - 1) * stride[0] + 1, stride[0])
        for j in range(kernel[1]):
            first = j * dilation[1]
            columns = builtins.slice(first, first + (size[1] - 1) * stride[1] + 1, stride[1])
            result = np.maximum(result, padded[..., rows, columns])
    return np.asarray(result)


@operator
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
        rows = builtins.slice(max(top, 0), min(bottom, x.shape[-2]))
        for j, (left, right) in enumerate(spans[1]):
            window = x[..., rows, max(left, 0) : min(right, x.shape[-1])]
            counted = (
                (bottom - top) * (right - left) if count_padding else window.shape[-2] * window.shape[-1]
            )
            result[..., i, j] = window.sum((-2, -1), np.float64) / counted
    return result


@operator
def adaptive_avg_pool2d(x: Array, *, size: Sequence[int]) -> Array:
    """size: (height, width) of the output; (1, 1) is global average pooling."""
    result = np.empty((*x.shape[:-2], *size), np.float32)
    height, width = x.shape[-2:]
    for i in range(size[0]):
        rows = builtins.slice(i * height // size[0], -(-(i + 1) * height // size[0]))
        for j in range(size[1]):
            columns = builtins.slice(j * width // size[1], -(-(j + 1) * width // size[1]))
            result[..., i, j] = x[..., rows, columns].mean((-2, -1), np.float64)
    return result


@operator
def mean(x: Array, *, dims: Sequence[int], keepdim: bool) -> Array:
    return _single(x.mean(tuple(dims), np.float64, keepdims=keepdim))


@operator
def amax(x: Array, *, dims: Sequence[int], keepdim: bool) -> Array:
    largest: Array = x.max(tuple(dims), keepdims=keepdim)
    return largest


@operator
def amin(x: Array, *, dims: Sequence[int], keepdim: bool) -> Array:
    smallest: Array = x.min(tuple(dims), keepdims=keepdim)
    return smallest


@operator
def sum(x: Array, *, dims: Sequence[int], keepdim: bool) -> Array:
    return _single(x.sum(tuple(dims), np.float64, keepdims=keepdim))


@operator
def argmax(x: Array, *, dim: int, keepdim: bool) -> Array:
    return np.asarray(np.argmax(x, dim, keepdims=keepdim), np.float32)


@operator
def topk_values(x: Array, *, k: int, dim: int, largest: bool) -> Array:
    return np.take_along_axis(x, _order(x, k, dim, largest), dim)


@operator
def topk_indices(x: Array, *, k: int, dim: int, largest: bool) -> Array:
    return np.asarray(_order(x, k, dim, largest), np.float32)


def _order(x: Array, k: int, dim: int, largest: bool) -> NDArray[np.intp]:
    """Where the k most extreme elements stand; of equal ones the first comes first."""
    places: NDArray[np.intp] = np.argsort(-x if largest else x, dim, kind="stable").take(np.arange(k), dim)
    return places


@operator
def gather(x: Array, index: Array, *, dim: int) -> Array:
    """The elements of a dimension that `index` names, a tensor of any shape, which takes its place."""
    return np.asarray(x.take(_places(index, x.shape[dim]), dim))


@operator
def gather_elements(x: Array, index: Array, *, dim: int) -> Array:
    return np.asarray(np.take_along_axis(_cut(x, index, dim), _places(index, x.shape[dim]), dim))


def _cut(x: Array, index: Array, dim: int) -> Array:
    """x without what indices along `dim` never name, in its other dimensions."""
    return x[tuple(builtins.slice(None if axis == dim else n) for axis, n in enumerate(index.shape))]


@operator
def gather_nd(x: Array, index: Array, *, batch_dims: int) -> Array:
    lead = index.shape[:-1]
    places = [_places(index[..., i], x.shape[batch_dims + i]) for i in range(index.shape[-1])]
    batch = [
        np.broadcast_to(np.arange(n).reshape((1,) * i + (-1,) + (1,) * (len(lead) - i - 1)), lead)
        for i, n in enumerate(x.shape[:batch_dims])
    ]
    return np.asarray(x[(*batch, *places)])


def _places(index: Array, size: int) -> NDArray[np.intp]:
    """Indices as whole numbers; one that is outside, or none, stands for the nearest that exists."""
    places = np.where(index < 0, index + size, np.nan_to_num(index, nan=0.0)).clip(0, size - 1)
    return np.asarray(places, np.intp)


@operator
def expand(x: Array, *, shape: Sequence[int]) -> Array:
    return np.ascontiguousarray(np.broadcast_to(x, tuple(shape)))


@operator
def tile(x: Array, *, repeats: Sequence[int]) -> Array:
    return np.tile(x, tuple(repeats))


@operator
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


@operator
def concat(*values: Array, dim: int) -> Array:
    return np.concatenate(values, dim)


@operator
def slice(x: Array, *, dim: int, start: int, end: int, step: int = 1) -> Array:
    """Elements start, start + step, … below end, of dimension dim."""
    index = [builtins.slice(None)] * x.ndim
    index[dim] = builtins.slice(start, end, step)
    return x[tuple(index)]


@operator
def pad(x: Array, *, padding: Sequence[int], mode: str, value: float = 0.0) -> Array:
    """padding: (before, after) of each dimension, the last first; negative ones cut."""
    names = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
    sides = _sides(x, padding)
    cut = [builtins.slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(sides, x.shape, strict=True)]
    fill: dict[str, Any] = {"constant_values": value} if mode == "constant" else {}
    amounts = [(max(0, a), max(0, b)) for a, b in sides]
    return np.pad(x[tuple(cut)], amounts, names[mode], **fill)  # type: ignore[call-overload, no-any-return]


@operator
def reshape(x: Array, *, shape: Sequence[int]) -> Array:
    """A 0 keeps the size of that dimension (the batch), −1 takes what is left."""
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape)])


@operator
def permute(x: Array, *, dims: Sequence[int]) -> Array:
    return x.transpose(tuple(dims))


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
    return _single(result)


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


def _sides(x: Array, padding: Sequence[int]) -> list[tuple[int, int]]:
    pairs = [(padding[2 * i], padding[2 * i + 1]) for i in range(len(padding) // 2)]
    return [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]


def _single(x: NDArray[np.float64]) -> Array:
    """Rounded to float32, once."""
    return np.asarray(x, np.float32)


def _erf(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """NumPy has none; rarely needed, so value by value."""
    flat = np.fromiter(map(math.erf, x.ravel().tolist()), np.float64, x.size)
    return flat.reshape(x.shape)


def _binary_elements(a: Array, b: Array) -> int:
    return math.prod(np.broadcast_shapes(a.shape, b.shape))


def _matmul_elements(a: Array, b: Array) -> int:
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return math.prod((*batch, int(a.shape[-2]), int(b.shape[-1])))


def _pad_elements(x: Array, *, padding: Sequence[int], **_: Any) -> int:
    return math.prod(a + n + b for (a, b), n in zip(_sides(x, padding), x.shape, strict=True))


def _resize_elements(
    x: Array, *, size: Sequence[int] | None = None, scale: Sequence[float] | None = None, **_: Any
) -> int:
    return math.prod(x.shape[:-2]) * math.prod(resized(x.shape, size, scale))


def _pool_elements(x: Array, *, padding: Sequence[int], **_: Any) -> int:
    top, left = padding[:2]
    bottom, right = padding[-2:]
    sides: tuple[int, int] = x.shape[-2] + top + bottom, x.shape[-1] + left + right
    return math.prod((*x.shape[:-2], *sides))


# How many elements those give that may give more than they read.
_ELEMENTS: Mapping[str, Callable[..., int]] = {
    **dict.fromkeys(
        (
            "add",
            "sub",
            "mul",
            "div",
            "pow",
            "fmod",
            "minimum",
            "maximum",
            "equal",
            "greater",
            "greater_equal",
        ),
        _binary_elements,
    ),
    "where": lambda c, a, b: math.prod(np.broadcast_shapes(c.shape, a.shape, b.shape)),
    "matmul": _matmul_elements,
    "gather": lambda x, index, dim: x.size // max(x.shape[dim], 1) * index.size,
    "gather_elements": lambda x, index, dim: index.size,
    "gather_nd": lambda x, index, batch_dims: (
        math.prod(index.shape[:-1]) * math.prod(x.shape[batch_dims + index.shape[-1] :])
    ),
    "expand": lambda x, *, shape: math.prod(shape),
    "tile": lambda x, *, repeats: x.size * math.prod(repeats),
    "concat": lambda *values, dim: builtins.sum(int(value.size) for value in values),
    "pad": _pad_elements,
    "resize": _resize_elements,
    "max_pool2d": _pool_elements,
    "avg_pool2d": _pool_elements,
    "adaptive_avg_pool2d": lambda x, *, size: math.prod(x.shape[:-2]) * math.prod(size),
}
