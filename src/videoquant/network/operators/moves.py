"""Operators that move values and compute none: constants, selections, shapes."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from videoquant.network.operators.registry import operator


@operator
def constant(*, value: Tensor) -> Tensor:
    return value


@operator
def state(x: Tensor, *, shape: list[int]) -> Tensor:
    """What a video's first frame finds: zeros, for each frame of the input x. shape: for one."""
    return x.new_zeros(len(x) * shape[0], *shape[1:])


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
