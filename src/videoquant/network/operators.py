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


@by_row(2)
def group_norm(x: Tensor, *, groups: int, eps: float) -> Tensor:
    """As `instance_norm`, mean and variance over all positions of a group of neighbouring channels."""
    if x.dim() < 2 or groups < 1 or x.shape[1] % groups or eps < 0:
        raise RuntimeError(f"{groups} groups and eps {eps} do not fit a value of shape {tuple(x.shape)}")
    parts = x.reshape(x.shape[0], groups, -1)
    var, mean = torch.var_mean(parts, 2, correction=0, keepdim=True)
    return ((parts - mean) * torch.rsqrt(var + eps)).reshape(x.shape)


@operator
def layer_norm(x: Tensor, *, dims: int, eps: float) -> Tensor:
    """(x − mean) / √(variance + eps), mean and variance over the last `dims` dimensions of each position."""
    if not 1 <= dims <= x.dim() or eps < 0:
        raise RuntimeError(f"a layer norm over {dims} dimensions, eps {eps}, of shape {tuple(x.shape)}")
    var, mean = torch.var_mean(x, tuple(range(x.dim() - dims, x.dim())), correction=0, keepdim=True)
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


@operator
def pow(a: Tensor, b: Tensor) -> Tensor:
    return torch.pow(a, b)


@operator
def fmod(a: Tensor, b: Tensor) -> Tensor:
    """What is left of a / b, with the sign of a."""
    return torch.fmod(a, b)


@operator
def minimum(a: Tensor, b: Tensor) -> Tensor:
    return torch.minimum(a, b)


@operator
def maximum(a: Tensor, b: Tensor) -> Tensor:
    return torch.maximum(a, b)


@operator
def equal(a: Tensor, b: Tensor) -> Tensor:
    """1 where it is so, else 0; as in the other comparisons."""
    return (a == b).to(a.dtype)


@operator
def greater(a: Tensor, b: Tensor) -> Tensor:
    return (a > b).to(a.dtype)


@operator
def greater_equal(a: Tensor, b: Tensor) -> Tensor:
    return (a >= b).to(a.dtype)


@operator
def where(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """a where the condition is not 0, else b."""
    return torch.where(condition != 0, a, b)


@operator
def matmul(a: Tensor, b: Tensor) -> Tensor:
    """The product of two activations, …×M×K and …×K×N; attention is made of it."""
    return torch.matmul(a, b)


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
def exp(x: Tensor) -> Tensor:
    return torch.exp(x)


@by_row(1)
def log(x: Tensor) -> Tensor:
    return torch.log(x)


@by_row(1)
def sqrt(x: Tensor) -> Tensor:
    return torch.sqrt(x)


@by_row(1)
def abs(x: Tensor) -> Tensor:
    return torch.abs(x)


@by_row(1)
def sign(x: Tensor) -> Tensor:
    return torch.sign(x)


@by_row(1)
def floor(x: Tensor) -> Tensor:
    return torch.floor(x)


@by_row(1)
def ceil(x: Tensor) -> Tensor:
    return torch.ceil(x)


@by_row(1)
def round(x: Tensor) -> Tensor:
    """Half to even."""
    return torch.round(x)


@by_row(1)
def trunc(x: Tensor) -> Tensor:
    """Towards zero, as a conversion to integers does."""
    return torch.trunc(x)


@by_row(1)
def sin(x: Tensor) -> Tensor:
    return torch.sin(x)


@by_row(1)
def cos(x: Tensor) -> Tensor:
    return torch.cos(x)


@by_row(1)
def softplus(x: Tensor) -> Tensor:
    """log(1 + eˣ)."""
    return F.softplus(x)


@by_row(1)
def mish(x: Tensor) -> Tensor:
    """x · tanh(softplus(x))."""
    return F.mish(x)


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


@operator
def amin(x: Tensor, *, dims: Sequence[int], keepdim: bool) -> Tensor:
    return x.amin(tuple(dims), keepdim)


@operator
def sum(x: Tensor, *, dims: Sequence[int], keepdim: bool) -> Tensor:
    return x.sum(tuple(dims), keepdim)


@operator
def argmax(x: Tensor, *, dim: int, keepdim: bool) -> Tensor:
    """The index of the largest element, the first of them, as a float."""
    if x.device.type == "meta":
        return x.amax(dim, keepdim)
    # PyTorch does not say which of equal ones it gives.
    return (x == x.amax(dim, True)).to(torch.uint8).argmax(dim, keepdim).to(x.dtype)


@operator
def topk_values(x: Tensor, *, k: int, dim: int, largest: bool) -> Tensor:
    """The k largest or smallest elements along a dimension, the most extreme first."""
    return _topk(x, k, dim, largest)[0]


@operator
def topk_indices(x: Tensor, *, k: int, dim: int, largest: bool) -> Tensor:
    """Where the elements of `topk_values` stood, as floats; of equal ones the first comes first."""
    return _topk(x, k, dim, largest)[1].to(x.dtype)


def _topk(x: Tensor, k: int, dim: int, largest: bool) -> tuple[Tensor, Tensor]:
    if not 0 < k <= x.shape[dim]:
        raise RuntimeError(f"the {k} largest of {x.shape[dim]} elements")
    values, indices = torch.sort(x, dim=dim, descending=largest, stable=True)
    return values.narrow(dim, 0, k), indices.narrow(dim, 0, k)


@operator
def gather(x: Tensor, index: Tensor, *, dim: int) -> Tensor:
    """The elements of a dimension that `index` names, a tensor of any shape, which takes its place.

    Indices are whole floats; those below 0 count from the end, as everywhere.
    """
    places = _places(index, x.shape[dim])
    shape = (*x.shape[:dim], *index.shape, *x.shape[dim + 1 :])
    return x.index_select(dim, places.flatten()).reshape(shape)


@operator
def gather_elements(x: Tensor, index: Tensor, *, dim: int) -> Tensor:
    """Element by element along a dimension: y[i][j] = x[index[i][j]][j] for dimension 0."""
    return torch.gather(x, dim, _places(index, x.shape[dim]))


@operator
def gather_nd(x: Tensor, index: Tensor, *, batch_dims: int) -> Tensor:
    """The parts of x that the last dimension of `index` names by their leading indices."""
    lead, count = index.shape[:-1], index.shape[-1]
    if batch_dims + count > x.dim() or x.shape[:batch_dims] != index.shape[:batch_dims]:
        raise RuntimeError(f"indices of shape {tuple(index.shape)} do not fit {tuple(x.shape)}")
    whole = torch.stack([_places(index[..., i], x.shape[batch_dims + i]) for i in range(count)], -1)
    batch = [
        torch.arange(n, device=x.device).reshape((1,) * i + (-1,) + (1,) * (len(lead) - i - 1)).expand(lead)
        for i, n in enumerate(x.shape[:batch_dims])
    ]
    return x[(*batch, *whole.unbind(-1))]


def _places(index: Tensor, size: int) -> Tensor:
    """Indices as whole numbers; one that is outside, or none, stands for the nearest that exists."""
    places = torch.where(index < 0, index + size, index).nan_to_num(0)
    return places.clamp(0, size - 1).long()


@operator
def expand(x: Tensor, *, shape: Sequence[int]) -> Tensor:
    """Dimensions of size 1 become as large as `shape` says; there may be more of them in front."""
    return x.expand(tuple(shape)).contiguous()


@operator
def tile(x: Tensor, *, repeats: Sequence[int]) -> Tensor:
    """The whole value so many times along each dimension."""
    return x.repeat(tuple(repeats))


@operator
def grid_sample(x: Tensor, grid: Tensor, *, mode: str, padding: str, align_corners: bool) -> Tensor:
    """x at the places of `grid`, N×h×w×2, (x, y) of −1 to 1; mode: bilinear, nearest or bicubic."""
    return F.grid_sample(x, grid, mode, padding, align_corners)


@by_row(4)
def resize(
    x: Tensor,
    *,
    mode: str,
    size: Sequence[int] | None = None,
    scale: Sequence[float] | None = None,
    align_corners: bool = False,
) -> Tensor:
    """mode: "nearest" (floor), "bilinear" or "bicubic" (half-pixel centres, or aligned corners).

    size or scale: (h, w).

    A scale gives ⌊height · scale⌋ rows; row i comes from (i + 0.5) / scale − 0.5 even where the floor cuts.
    """
    corners = None if mode == "nearest" else align_corners
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
