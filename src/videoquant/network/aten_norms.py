"""How aten operators become nodes: sums and spreads, normalizations, attention. See `aten_operators`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from videoquant.network.builder import Argument, OperatorContext, OperatorRegistry, Value, dimensions

ATEN_NORMS = OperatorRegistry()
_aten = ATEN_NORMS.register


def _spread(name: str, root: bool, with_mean: bool) -> None:
    """The variance of some dimensions, or its root; with the mean where `with_mean`."""

    def read(
        site: OperatorContext,
        x: Value,
        dim: Any = (),
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Value | Sequence[Value]:
        if isinstance(dim, bool):  # the form without dimensions
            dim, unbiased = (), dim
        dims = dimensions([dim] if isinstance(dim, int) else dim or (), len(x.shape))
        count = math.prod(x.shape[d] for d in dims)
        less = float(unbiased) if correction is None else correction
        mean = site.emit("mean", x, dims=dims, keepdim=True, part="mean")
        apart = site.emit("sub", x, mean, part="apart")
        square = site.emit("mul", apart, apart, part="square")
        y = site.emit("mean", square, dims=dims, keepdim=keepdim, part="variance")
        if count != count - less:
            if count <= less:
                raise site.refuse(f"a variance of {count} values is none")
            y = site.emit("mul", y, site.value(count / (count - less)), part="unbiased")
        y = site.emit("sqrt", y) if root else y
        return [y, site.reshape(mean, y.shape)] if with_mean else y

    _aten(name)(read)


_spread("var", False, False)
_spread("std", True, False)
_spread("var_mean", False, True)
_spread("std_mean", True, True)


@_aten("logsumexp")
def logsumexp(site: OperatorContext, x: Value, dim: Any, keepdim: bool = False) -> Value:
    """The largest value is taken out first, so that nothing overflows."""
    dims = dimensions([dim] if isinstance(dim, int) else dim, len(x.shape))
    largest = site.emit("amax", x, dims=dims, keepdim=True, part="largest")
    powers = site.emit("exp", site.emit("sub", x, largest, part="below"), part="exp")
    total = site.emit("log", site.emit("sum", powers, dims=dims, keepdim=True, part="sum"), part="log")
    y = site.emit("add", total, largest)
    return y if keepdim else site.reshape(y, [n for i, n in enumerate(y.shape) if i not in dims])


@_aten("cumsum")
def cumsum(site: OperatorContext, x: Value, dim: int, *, dtype: Any = None) -> Value:
    """A product with a triangle of ones."""
    dim, rank = dim % len(x.shape), len(x.shape)
    order = [d for d in range(rank) if d != dim] + [dim]
    triangle = site.value(torch.ones(x.shape[dim], x.shape[dim]).triu())
    y = site.emit("matmul", site.permute(x, order), triangle)
    return site.permute(y, [order.index(d) for d in range(rank)])


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
