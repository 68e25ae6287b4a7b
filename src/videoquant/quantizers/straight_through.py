"""Fake quantization that can be trained: gradients pass straight through, and reach the scale too (LSQ)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def straight_through(
    x: Tensor, scale: Tensor, zero_point: int, low: int, high: int, axis: int | None = None
) -> Tensor:
    """x̂ = (clip(round(x / s) + z, low, high) − z) · s, of the shape and dtype of x; half to even.

    scale: one value, or with `axis` one per slice along that dimension. As everywhere, x / s is x times the
    float32 reciprocal of s.
    To x the gradient passes where its code is not clipped. To the scale it is
    Σ g · (x̂ − x·[not clipped]) / s, divided by √(elements per scale · last step): the step of a scale then is
    as large, relative to it, as that of the values it stands for (Esser et al., "Learned Step Size
    Quantization", ICLR 2020, eq. 3).
    """
    steps = (low - zero_point, high - zero_point)
    y: Tensor = _FakeQuantize.apply(x, scale, *steps, axis)  # type: ignore[no-untyped-call]
    return y


class _FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, first: int, last: int, axis: int | None) -> Tensor:
        s = scale.detach().to(x.dtype)
        inverse = scale.detach().reciprocal().to(x.dtype)
        if axis is not None:
            shape = [1] * x.dim()
            shape[axis] = -1
            s, inverse = s.view(shape), inverse.view(shape)
        steps = torch.mul(x, inverse).round_()
        clipped = steps.clamp(first, last)
        passes = steps.eq_(clipped)  # 1 or 0 in x's own type: times a bool takes PyTorch four times as long
        x_hat = clipped.mul_(s)
        # Both are kept by others as well: x by what made it, x̂ by the convolution that reads it.
        ctx.save_for_backward(x, x_hat, passes, scale)
        ctx.axis, ctx.last = axis, last
        return x_hat

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        (g,) = grads
        x, x_hat, passes, scale = ctx.saved_tensors
        to_x = g * passes
        if not ctx.needs_input_grad[1]:
            return to_x, None, None, None, None
        errors = torch.addcmul(x_hat, x, passes, value=-1).mul_(g)
        if ctx.axis is None:
            total, each = errors.sum(dtype=torch.float32), x.numel()
        else:
            others = [d for d in range(x.dim()) if d != ctx.axis]
            total, each = errors.sum(others, dtype=torch.float32), x.numel() // x.shape[ctx.axis]
        to_scale = (total / scale / math.sqrt(each * ctx.last)).view_as(scale)
        return (to_x if ctx.needs_input_grad[0] else None), to_scale, None, None, None
