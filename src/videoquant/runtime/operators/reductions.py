"""Operators that take many elements together: products of matrices, norms, softmax, sums, extremes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from videoquant.runtime.operators.registry import Array, operator, operator_sized, single


def _matmul_elements(a: Array, b: Array) -> int:
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return math.prod((*batch, int(a.shape[-2]), int(b.shape[-1])))


@operator_sized(_matmul_elements)
def matmul(a: Array, b: Array) -> Array:
    return single(np.matmul(a.astype(np.float64), b.astype(np.float64)))


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
    return single(wide / np.sqrt(np.square(wide).mean(axes, keepdims=True) + eps))


@operator
def softmax(x: Array, *, dim: int) -> Array:
    powers = np.exp(x.astype(np.float64) - x.max(dim, keepdims=True))
    return single(powers / powers.sum(dim, keepdims=True))


@operator
def mean(x: Array, *, dims: Sequence[int], keepdim: bool) -> Array:
    return single(x.mean(tuple(dims), np.float64, keepdims=keepdim))


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
    return single(x.sum(tuple(dims), np.float64, keepdims=keepdim))


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
