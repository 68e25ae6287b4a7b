"""How ONNX operators become nodes: what picks, repeats or rearranges elements. See `onnx_operators`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from videoquant.network.builder import Argument, OperatorContext, OperatorRegistry, Value

SELECTIONS = OperatorRegistry()
_onnx = SELECTIONS.register


@_onnx("Gather")
def gather(site: OperatorContext, x: Argument, indices: Argument, *, axis: int = 0) -> Value:
    """One index is a slice without its dimension, evenly spaced ones are slices."""
    value = site.value(x)
    dim = site.axis(axis, len(value.shape))
    size = value.shape[dim]
    if isinstance(indices, Value):
        return site.emit("gather", value, indices, dim=dim)
    index = site.fixed(indices, "indices").long()
    if index.numel() and not -size <= int(index.min()) <= int(index.max()) < size:
        raise site.refuse(f"its indices {index.flatten().tolist()[:8]} are outside dimension {dim} of {size}")
    if index.dim() == 0:
        return site.select(value, dim, int(index))
    if not index.numel():
        return site.emit("gather", value, site.value(index), dim=dim)
    picked = site.pick(value, dim, [n % size for n in index.flatten().tolist()])
    return site.reshape(picked, (*value.shape[:dim], *index.shape, *value.shape[dim + 1 :]))


@_onnx("GatherElements")
def gather_elements(site: OperatorContext, x: Argument, indices: Argument, *, axis: int = 0) -> Value:
    value = site.value(x)
    dim = site.axis(axis, len(value.shape))
    _check(site, indices, value.shape[dim : dim + 1])
    return site.emit("gather_elements", value, site.value(indices), dim=dim)


@_onnx("GatherND")
def gather_nd(site: OperatorContext, x: Argument, indices: Argument, *, batch_dims: int = 0) -> Value:
    value = site.value(x)
    _check(site, indices, value.shape[batch_dims:])
    return site.emit("gather_nd", value, site.value(indices), batch_dims=batch_dims)


@_onnx("ScatterND")
def scatter_nd(
    site: OperatorContext, x: Argument, indices: Argument, updates: Argument, *, reduction: str = "none"
) -> Value:
    """An assignment to a box, as exporters write x[..., 0:2] = y."""
    value, part = site.value(x), site.value(updates)
    index = site.fixed(indices, "indices").long()
    _check(site, index, value.shape)
    if reduction != "none" or value.whole:
        raise site.refuse("only an assignment of floats is supported")
    places = torch.arange(math.prod(value.shape)).reshape(value.shape)
    given = places[tuple(index.movedim(-1, 0))]
    if not given.numel():
        return value
    if tuple(given.shape) != part.shape:
        raise site.refuse(f"its updates have the shape {part.shape}; its indices name {tuple(given.shape)}")
    ends = np.unravel_index([int(given.min()), int(given.max())], value.shape)
    box = [slice(int(first), int(last) + 1) for first, last in ends]
    if not torch.equal(places[tuple(box)].flatten(), given.flatten()):
        raise site.refuse("its indices must be a box of elements in order, as of x[a:b, c:d] = y")
    part = site.reshape(part, [side.stop - side.start for side in box])
    cut = [value]
    for dim, side in enumerate(box):
        cut.append(site.slice(cut[-1], dim, side.start, side.stop))
    for dim in reversed(range(len(box))):
        part = site.assign(cut[dim], dim, box[dim].start, part)
    return part


def _check(site: OperatorContext, indices: Argument, sizes: Sequence[int]) -> None:
    """Refuse constant indices that name no element. sizes: of the dimensions that the last one names."""
    if not isinstance(indices, Value):
        index = torch.as_tensor(indices).long()
        columns = index.unsqueeze(-1) if len(sizes) == 1 else index
        limits = torch.tensor(sizes[: columns.shape[-1]])
        if columns.shape[-1] > len(sizes) or bool(((columns < -limits) | (columns >= limits)).any()):
            raise site.refuse(f"its indices are outside dimensions of {list(sizes)}")


@_onnx("TopK")
def top_k(
    site: OperatorContext, x: Value, k: Any, *, axis: int = -1, largest: int = 1, sorted: int = 1
) -> Sequence[Value | None]:
    count = site.integers(k, "k")[0]
    dim = site.axis(axis, len(x.shape))
    attributes: dict[str, Any] = {"k": count, "dim": dim, "largest": bool(largest)}
    values = site.emit("topk_values", x, part="values", **attributes)
    return [values, site.whole(site.emit("topk_indices", x, part="indices", **attributes))]


@_onnx("Expand")
def expand(site: OperatorContext, x: Value, shape: Any) -> Value:
    """Either shape may have ones where the other has more."""
    wanted = tuple(site.integers(shape, "sizes"))
    try:
        whole = np.broadcast_shapes(x.shape, wanted)
    except ValueError:
        raise site.refuse(f"a value of shape {x.shape} cannot be expanded to {wanted}") from None
    return x if whole == x.shape else site.emit("expand", x, shape=list(whole))


@_onnx("Tile")
def tile(site: OperatorContext, x: Value, repeats: Any) -> Value:
    times = site.integers(repeats, "repeats")
    if len(times) != len(x.shape) or min(times, default=1) < 1:
        raise site.refuse(f"its repeats {times} do not fit a value of shape {x.shape}")
    return site.emit("tile", x, repeats=times) if max(times, default=1) > 1 else x


@_onnx("SpaceToDepth")
def space_to_depth(site: OperatorContext, x: Value, *, blocksize: int) -> Value:
    if len(x.shape) != 4 or blocksize < 1 or x.shape[2] % blocksize or x.shape[3] % blocksize:
        raise site.refuse(f"blocks of {blocksize} do not fit a value of shape {x.shape}")
    n, c, h, w = x.shape
    blocks = site.reshape(x, (n, c, h // blocksize, blocksize, w // blocksize, blocksize))
    turned = site.permute(blocks, (0, 3, 5, 1, 2, 4))
    return site.reshape(turned, (n, c * blocksize**2, h // blocksize, w // blocksize))


@_onnx("GridSample")
def grid_sample(
    site: OperatorContext,
    x: Argument,
    grid: Argument,
    *,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: int = 0,
) -> Value:
    modes = {"linear": "bilinear", "cubic": "bicubic"}
    value, places = site.value(x), site.value(grid)
    if len(value.shape) != 4:
        raise site.refuse(f"only maps N×C×H×W are sampled; its input has shape {value.shape}")
    known: dict[str, Any] = {
        "mode": modes.get(mode, mode),
        "padding": padding_mode,
        "align_corners": bool(align_corners),
    }
    return site.emit("grid_sample", value, places, **known)


@_onnx("Einsum")
def einsum(site: OperatorContext, *values: Argument, equation: str) -> Value:
    """A product of two values, as permutations and a matrix product."""
    left, _, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    letters = "".join(terms)
    if not out and "->" not in equation:
        out = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    plain = len(terms) == len(values) == 2 and "." not in equation
    if not plain or any(len(set(term)) < len(term) for term in (*terms, out)) or not set(out) <= set(letters):
        raise site.refuse(f"the equation {equation!r} is not supported; products of two values are")
    a, b = (site.value(value) for value in values)
    sizes: dict[str, int] = {}
    for term, value in zip(terms, (a, b), strict=True):
        if len(term) != len(value.shape):
            raise site.refuse(f"{term!r} of {equation!r} does not fit a value of shape {value.shape}")
        if any(sizes.setdefault(c, n) != n for c, n in zip(term, value.shape, strict=True)):
            raise site.refuse(f"the sizes of {a.shape} and {b.shape} do not fit {equation!r}")
    batch = [c for c in terms[0] if c in terms[1] and c in out]
    summed = [c for c in terms[0] if c in terms[1] and c not in out]
    own = [[c for c in term if c not in other] for term, other in (terms, terms[::-1])]
    for index, value in enumerate((a, b)):  # what neither the other nor the result has is summed at once
        gone = [terms[index].index(c) for c in own[index] if c not in out]
        if gone:
            reduced = site.emit("sum", value, dims=gone, keepdim=False, part=f"sum_{index}")
            a, b = (reduced, b) if index == 0 else (a, reduced)
            terms[index] = "".join(c for c in terms[index] if c not in own[index] or c in out)
            own[index] = [c for c in own[index] if c in out]

    def matrices(value: Value, term: str, rows: Sequence[str], columns: Sequence[str]) -> Value:
        turned = site.permute(value, [term.index(c) for c in (*batch, *rows, *columns)])
        whole = [sizes[c] for c in batch]
        flat = [math.prod(sizes[c] for c in rows), math.prod(sizes[c] for c in columns)]
        return site.reshape(turned, (*whole, *flat))

    product = site.emit(
        "matmul", matrices(a, terms[0], own[0], summed), matrices(b, terms[1], summed, own[1])
    )
    order = [*batch, *own[0], *own[1]]
    shaped = site.reshape(product, [sizes[c] for c in order])
    return site.permute(shaped, [order.index(c) for c in out])
