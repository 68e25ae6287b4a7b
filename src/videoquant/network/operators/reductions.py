"""Operators that take many elements together: products of matrices, norms, softmax, sums, extremes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from videoquant.network.operators.registry import by_row, operator


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
def matmul(a: Tensor, b: Tensor) -> Tensor:
    """The product of two activations, …×M×K and …×K×N; attention is made of it."""
    return torch.matmul(a, b)


@operator
def softmax(x: Tensor, *, dim: int) -> Tensor:
    return torch.softmax(x, dim)


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
