"""Operators that compute each element by itself, of one value or of several that are broadcast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from videoquant.network.operators.registry import by_row, operator


@by_row(2)
def affine(x: Tensor, *, weight: Tensor, bias: Tensor) -> Tensor:
    """A batch norm that no convolution could take in: x · weight + bias per channel (dimension 1)."""
    shape = (1, -1) + (1,) * (x.dim() - 2)
    return x * weight.view(shape) + bias.view(shape)


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


@by_row(1)
def clamp(x: Tensor, *, min: float | None = None, max: float | None = None) -> Tensor:
    """ReLU is clamp(min=0), ReLU6 clamp(0, 6), with the gradients of PyTorch's modules: none at a bound."""
    if x.requires_grad and min == 0 and (max is None or max > 0):  # the gradient of x.clamp is slow
        return torch.relu(x) if max is None else F.hardtanh(x, min, max)
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
def fake_quantize(x: Tensor, *, scale: float, zero_point: int, low: int, high: int) -> Tensor:
    """x̂ of the codes low to high, as ONNX has it: x is divided by the scale, and rounded half to even."""
    return torch.round(x / scale).clamp_(low - zero_point, high - zero_point).mul_(scale)


@by_row(1)
def round_to(x: Tensor, *, dtype: str) -> Tensor:
    """The nearest number that `dtype`, float16 or bfloat16, has; beyond its largest, infinity."""
    return x.to({"float16": torch.float16, "bfloat16": torch.bfloat16}[dtype]).to(x.dtype)
