"""What each operator of a captured network computes, in PyTorch. One function per operator.

A function's positional arguments are the values the node reads, its keyword arguments the node's tensors
(`weight`, `bias`, …) and attributes. Attributes are JSON values. Activations are N×C×H×W. Long because
every operator has its function here.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

OPERATORS: dict[str, Callable[..., Tensor]] = {}

# The operators that carry the multiply–accumulates: at their inputs stand the quantizers.
LAYERS = ("conv2d", "conv_transpose2d", "linear")


# What they compute for one index of the first dimension depends on no other; from so many dimensions on.
BY_ROW: dict[str, int] = {}


def operator(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    OPERATORS[function.__name__] = function
    return function


def by_row(dimensions: int) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Says of an operator that it treats rows alike; see `BY_ROW`."""

    def enter(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        BY_ROW[function.__name__] = dimensions
        return operator(function)

    return enter


@by_row(4)
def conv2d(
    x: Tensor,
    *,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """weight: C_out × C_in/groups × k_h × k_w; padding: (top, left, bottom, right), zeros."""
    top, left, bottom, right = padding
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
    return F.conv2d(x, weight, bias, tuple(stride), (top, left), tuple(dilation), groups)


@by_row(4)
def conv_transpose2d(
    x: Tensor,
    *,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """weight: C_in × C_out/groups × k_h × k_w; padding: (top, left, bottom, right), cut from the output."""
    top, left, bottom, right = padding
    uneven = (top, left) != (bottom, right)
    cut = (0, 0) if uneven else (top, left)
    y = F.conv_transpose2d(
        x, weight, bias, tuple(stride), cut, tuple(output_padding), groups, tuple(dilation)
    )
    return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right] if uneven else y


@by_row(2)
def linear(x: Tensor, *, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """weight: features_out × features_in, applied to the last dimension."""
    return F.linear(x, weight, bias)


@by_row(2)
def affine(x: Tensor, *, weight: Tensor, bias: Tensor) -> Tensor:
    """A batch norm that no convolution could take in: x · weight + bias per channel (dimension 1)."""
    shape = (1, -1) + (1,) * (x.dim() - 2)
    return x * weight.view(shape) + bias.view(shape)


@by_row(3)
def instance_norm(x: Tensor, *, eps: float) -> Tensor:
    """(x − mean) / √(variance + eps), mean and variance of each frame's channel over all its positions."""
    if x.dim() < 3 or eps < 0:
        raise RuntimeError(f"an instance norm reads N×C×…, with eps ≥ 0; here: {tuple(x.shape)}, eps {eps}")
    var, mean = torch.var_mean(x, tuple(range(2, x.dim())), correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(var + eps)


@operator
def constant(*, value: Tensor) -> Tensor:
    return value


@operator
def add(a: Tensor, b: Tensor) -> Tensor:
    return a + b


@operator
def sub(a: Tensor, b: Tensor) -> Tensor:
    return a - b


@operator
def mul(a: Tensor, b: Tensor) -> Tensor:
    return a * b


@operator
def div(a: Tensor, b: Tensor) -> Tensor:
    return a / b


@by_row(1)
def clamp(x: Tensor, *, min: float | None = None, max: float | None = None) -> Tensor:
    """ReLU is clamp(min=0), ReLU6 clamp(0, 6)."""
    return x.clamp(min, max)


@by_row(1)
def leaky_relu(x: Tensor, *, slope: float) -> Tensor:
    return F.leaky_relu(x, slope)


@by_row(2)
def prelu(x: Tensor, *, weight: Tensor) -> Tensor:
    """weight: one slope, or one per channel."""
    return F.prelu(x, weight)


@by_row(1)
def hardswish(x: Tensor) -> Tensor:
    return F.hardswish(x)


@by_row(1)
def hardsigmoid(x: Tensor, *, alpha: float = 1 / 6, beta: float = 0.5) -> Tensor:
    """clip(alpha · x + beta, 0, 1)."""
    return (x * alpha + beta).clamp_(0, 1)


@by_row(1)
def sigmoid(x: Tensor) -> Tensor:
    return torch.sigmoid(x)


@by_row(1)
def silu(x: Tensor) -> Tensor:
    return F.silu(x)


@by_row(1)
def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    return F.gelu(x, approximate=approximate)


@by_row(1)
def elu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return F.elu(x, alpha)


@by_row(1)
def tanh(x: Tensor) -> Tensor:
    return torch.tanh(x)


@by_row(1)
def erf(x: Tensor) -> Tensor:
    """The error function, which exporters write GELU with."""
    return torch.erf(x)


@by_row(1)
def round_to(x: Tensor, *, dtype: str) -> Tensor:
    """The nearest number that `dtype`, float16 or bfloat16, has; beyond its largest, infinity."""
    return x.to({"float16": torch.float16, "bfloat16": torch.bfloat16}[dtype]).to(x.dtype)


@operator
def softmax(x: Tensor, *, dim: int) -> Tensor:
    return torch.softmax(x, dim)


@by_row(4)
def max_pool2d(
    x: Tensor,
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil: bool,
) -> Tensor:
    """padding: (top, left, bottom, right), with −∞."""
    top, left, bottom, right = padding
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom), value=float("-inf")), 0, 0
    return F.max_pool2d(x, tuple(kernel), tuple(stride), (top, left), tuple(dilation), ceil)


@by_row(4)
def avg_pool2d(
    x: Tensor,
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil: bool,
    count_padding: bool,
) -> Tensor:
    """padding: (top, left), the same at the far sides; counted in the average where `count_padding`."""
    return F.avg_pool2d(x, tuple(kernel), tuple(stride), tuple(padding), ceil, count_padding)


@by_row(4)
def adaptive_avg_pool2d(x: Tensor, *, size: Sequence[int]) -> Tensor:
    """size: (height, width) of the output; (1, 1) is global average pooling."""
    return F.adaptive_avg_pool2d(x, (size[0], size[1]))


@operator
def mean(x: Tensor, *, dims: Sequence[int], keepdim: bool) -> Tensor:
    return x.mean(tuple(dims), keepdim)


@operator
def amax(x: Tensor, *, dims: Sequence[int], keepdim: bool) -> Tensor:
    return x.amax(tuple(dims), keepdim)


@by_row(4)
def resize(
    x: Tensor,
    *,
    mode: str,
    size: Sequence[int] | None = None,
    scale: Sequence[float] | None = None,
    align_corners: bool = False,
) -> Tensor:
    """mode: "nearest" (floor) or "bilinear" (half-pixel centres, or aligned corners); size or scale: (h, w).

    A scale gives ⌊height · scale⌋ rows; row i comes from (i + 0.5) / scale − 0.5 even where the floor cuts.
    """
    corners = align_corners if mode == "bilinear" else None
    return F.interpolate(
        x,
        None if size is None else tuple(size),
        None if scale is None else tuple(scale),
        mode=mode,
        align_corners=corners,
    )


@by_row(4)
def pixel_shuffle(x: Tensor, *, factor: int, order: str = "CRD") -> Tensor:
    """C·r² channels to r× height and width; order "CRD" as PyTorch, "DCR" as TensorFlow's depth-to-space."""
    if order == "DCR":
        n, c, h, w = x.shape
        x = x.view(n, factor * factor, c // (factor * factor), h, w).transpose(1, 2).reshape(n, c, h, w)
    return F.pixel_shuffle(x, factor)


@operator
def concat(*values: Tensor, dim: int) -> Tensor:
    return torch.cat(values, dim)


@operator
def slice(x: Tensor, *, dim: int, start: int, end: int, step: int = 1) -> Tensor:
    """Elements start, start + step, … below end, of dimension dim; all four are in range and not negative."""
    index = [builtins.slice(None)] * x.dim()
    index[dim] = builtins.slice(start, end, step)
    return x[tuple(index)]


@operator
def pad(x: Tensor, *, padding: Sequence[int], mode: str, value: float = 0.0) -> Tensor:
    """padding: as `torch.nn.functional.pad`, last dimension first; mode: constant, reflect or replicate."""
    return F.pad(x, tuple(padding), mode, value if mode == "constant" else None)


@operator
def reshape(x: Tensor, *, shape: Sequence[int]) -> Tensor:
    """A 0 keeps the size of that dimension (the batch), −1 takes what is left."""
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape)])


@operator
def permute(x: Tensor, *, dims: Sequence[int]) -> Tensor:
    return x.permute(*dims)
