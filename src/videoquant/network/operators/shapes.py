"""The shape of what an operator gives, on PyTorch's `meta` device: nothing is computed for it.

For several operators PyTorch works the shape out in Python, and imports its compiler for that, which takes
longer than reading a network. What stands here for them runs no such code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from videoquant.network.operators import elementwise
from videoquant.network.operators.registry import OPERATORS


def on_meta(op: str, inputs: list[Tensor], tensors: Mapping[str, Tensor], attributes: Any) -> Tensor:
    """What the operator gives for tensors on `meta`. Raises what it does where it cannot run on such."""
    function = OPERATORS[op]
    if function.__module__ == elementwise.__name__:
        return _elementwise(function, inputs, tensors, attributes)
    if op in _RULES:
        return _RULES[op](*inputs, **tensors, **attributes)
    return function(*inputs, **tensors, **attributes)


def _elementwise(
    function: Callable[..., Tensor], inputs: list[Tensor], tensors: Mapping[str, Tensor], attributes: Any
) -> Tensor:
    """Runs on one element of each channel, so that it fails where it would on all."""
    few = [_zeros([n if i == 1 else min(n, 1) for i, n in enumerate(x.shape)]) for x in inputs]
    y = function(*few, **{name: _zeros(t.shape) for name, t in tensors.items()}, **attributes)
    return y.new_empty(_broadcast(y, *inputs), device="meta")


def _broadcast(*values: Tensor) -> torch.Size:
    shape: torch.Size = torch.broadcast_shapes(*(x.shape for x in values))  # type: ignore[no-untyped-call]
    return shape


def _zeros(shape: Sequence[int]) -> Tensor:
    return torch.zeros(tuple(shape), dtype=torch.float32, device="cpu")


def _concat(*values: Tensor, dim: int) -> Tensor:
    sizes = list(values[0].shape)
    sizes[dim] = sum(x.shape[dim] for x in values)
    for x in values:
        if x.dim() != len(sizes) or any(
            x.shape[i] != n for i, n in enumerate(sizes) if i != dim % len(sizes)
        ):
            raise RuntimeError(f"values of shapes {[tuple(x.shape) for x in values]} do not join along {dim}")
    return values[0].new_empty(sizes)


def _mean(x: Tensor, **attributes: Any) -> Tensor:
    return OPERATORS["amax"](x, **attributes)


def _adaptive_avg_pool2d(x: Tensor, *, size: list[int]) -> Tensor:
    return (
        x.amax((2, 3), keepdim=True)
        if tuple(size) == (1, 1)
        else OPERATORS["adaptive_avg_pool2d"](x, size=size)
    )


def _linear(x: Tensor, *, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    y = OPERATORS["linear"](x, weight=weight)
    if bias is not None and _broadcast(y, bias) != y.shape:
        raise RuntimeError(f"a bias of shape {tuple(bias.shape)} does not fit {tuple(y.shape)}")
    return y


def _resize(x: Tensor, *, mode: str, align_corners: bool = False, **attributes: Any) -> Tensor:
    if mode not in ("nearest", "bilinear", "bicubic"):
        raise ValueError(f"mode {mode!r} is none of nearest, bilinear, bicubic")
    return OPERATORS["resize"](x, mode="nearest", **attributes)


_RULES: dict[str, Callable[..., Tensor]] = {
    "concat": _concat,
    "linear": _linear,
    "mean": _mean,
    "adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "resize": _resize,
}
