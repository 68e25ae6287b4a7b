"""How aten operators become nodes: padding, and what only moves values about. See `aten_operators`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from videoquant.network.builder import Argument, OperatorContext, OperatorRegistry, Value, chunks, dimensions

ATEN_SHAPES = OperatorRegistry()
_aten = ATEN_SHAPES.register


@_aten("pixel_shuffle")
def pixel_shuffle(site: OperatorContext, x: Value, upscale_factor: int) -> Value:
    return site.emit("pixel_shuffle", x, factor=upscale_factor, order="CRD")


@_aten("cat")
def cat(site: OperatorContext, tensors: Sequence[Argument], dim: int = 0) -> Value:
    values = [site.value(tensor) for tensor in tensors]
    return site.emit("concat", *values, dim=dim % len(values[0].shape))


@_aten("stack")
def stack(site: OperatorContext, tensors: Sequence[Argument], dim: int = 0) -> Value:
    values = [site.value(tensor) for tensor in tensors]
    dim = dim % (len(values[0].shape) + 1)
    return site.emit("concat", *(unsqueeze(site, value, dim) for value in values), dim=dim)


@_aten("split", "split_with_sizes")
def split(site: OperatorContext, x: Value, split_size: Any, dim: int = 0) -> Sequence[Value]:
    sizes = chunks(x.shape[dim], split_size) if isinstance(split_size, int) else split_size
    return site.split(x, dim, sizes)


@_aten("chunk")
def chunk(site: OperatorContext, x: Value, count: int, dim: int = 0) -> Sequence[Value]:
    return site.split(x, dim, chunks(x.shape[dim], -(-x.shape[dim] // count)))


@_aten("unbind")
def unbind(site: OperatorContext, x: Value, dim: int = 0) -> Sequence[Value]:
    return [site.select(x, dim, index) for index in range(x.shape[dim])]


@_aten("slice")
def slice_(
    site: OperatorContext,
    x: Value,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Value:
    size = x.shape[dim]
    return site.slice(x, dim, start or 0, size if end is None else end, step)


@_aten("narrow")
def narrow(site: OperatorContext, x: Value, dim: int, start: int, length: int) -> Value:
    start = start % x.shape[dim]
    return site.slice(x, dim, start, start + length)


@_aten("select")
def select(site: OperatorContext, x: Value, dim: int, index: int) -> Value:
    return site.select(x, dim, index)


@_aten("slice_scatter")
def slice_scatter(
    site: OperatorContext,
    x: Argument,
    src: Argument,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Value:
    """An assignment to a slice, x[:, start:end] = src."""
    if step != 1:
        raise site.refuse("an assignment to a slice with steps is not supported")
    whole, part = site.value(x), site.value(src)
    dim = dim % len(whole.shape)
    first, _, _ = slice(start, end).indices(whole.shape[dim])
    return site.assign(whole, dim, first, part)


@_aten("copy")
def copy(site: OperatorContext, x: Argument, src: Argument) -> Value:
    """The values of src in the place of x."""
    target, value = site.value(x), site.value(src)
    if target.shape != value.shape:
        raise site.refuse(f"an assignment of shape {value.shape} to shape {target.shape} is not supported")
    return value


@_aten("pad", "constant_pad_nd")
def pad(
    site: OperatorContext, x: Value, pad: Sequence[int], mode: Any = "constant", value: float | None = None
) -> Value:
    if not isinstance(mode, str):  # constant_pad_nd has the value in its place
        mode, value = "constant", mode
    if mode == "circular":
        return _around(site, x, pad)
    if mode not in ("constant", "reflect", "replicate"):
        known = "constant, reflect, replicate, circular"
        raise site.refuse(f"padding mode {mode!r} is not supported; known are {known}")
    return site.emit("pad", x, padding=list(pad), mode=mode, value=float(value or 0))


def _around(site: OperatorContext, x: Value, pad: Sequence[int]) -> Value:
    """Before each dimension its last elements, behind it its first ones; pad: of the last dimension first."""
    for place, (before, behind) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        dim = len(x.shape) - 1 - place
        if before < 0 or behind < 0:
            raise site.refuse(f"circular padding of {before} and {behind} is not supported")
        size = x.shape[dim]
        parts = [site.slice(x, dim, size - before, size)] * bool(before) + [x]
        parts += [site.slice(x, dim, 0, behind)] * bool(behind)
        x = site.emit("concat", *parts, dim=dim) if len(parts) > 1 else x
    return x


@_aten("reflection_pad2d")
def reflection_pad2d(site: OperatorContext, x: Value, padding: Sequence[int]) -> Value:
    return pad(site, x, padding, "reflect")


@_aten("replication_pad2d")
def replication_pad2d(site: OperatorContext, x: Value, padding: Sequence[int]) -> Value:
    return pad(site, x, padding, "replicate")


@_aten("permute")
def permute(site: OperatorContext, x: Value, dims: Sequence[int]) -> Value:
    return site.permute(x, [dim % len(x.shape) for dim in dims])


@_aten("transpose")
def transpose(site: OperatorContext, x: Value, dim0: int, dim1: int) -> Value:
    dims = list(range(len(x.shape)))
    dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return site.permute(x, dims)


@_aten("t")
def t(site: OperatorContext, x: Value) -> Value:
    return transpose(site, x, 0, -1)


@_aten("view", "_unsafe_view", "reshape")
def view(site: OperatorContext, x: Value, size: Sequence[int]) -> Value:
    return site.reshape(
        x, torch.empty(x.shape, dtype=torch.float32, device="meta").reshape(tuple(size)).shape
    )


@_aten("flatten")
def flatten(site: OperatorContext, x: Value, start_dim: int = 0, end_dim: int = -1) -> Value:
    return site.reshape(
        x, torch.empty(x.shape, dtype=torch.float32, device="meta").flatten(start_dim, end_dim).shape
    )


@_aten("unflatten")
def unflatten(site: OperatorContext, x: Value, dim: int, sizes: Sequence[int]) -> Value:
    dim = dim % len(x.shape)
    return view(site, x, [*x.shape[:dim], *sizes, *x.shape[dim + 1 :]])


@_aten("squeeze")
def squeeze(site: OperatorContext, x: Value, dim: Any = ()) -> Value:
    dims = dimensions([dim] if isinstance(dim, int) else dim, len(x.shape))
    return site.reshape(x, [n for i, n in enumerate(x.shape) if i not in dims or n != 1])


@_aten("unsqueeze")
def unsqueeze(site: OperatorContext, x: Value, dim: int) -> Value:
    dim = dim % (len(x.shape) + 1)
    return site.reshape(x, [*x.shape[:dim], 1, *x.shape[dim:]])


@_aten(
    "clone",
    "contiguous",
    "alias",
    "detach",
    "lift_fresh_copy",
    "dropout",
    "feature_dropout",
    "_to_copy",
    "to",
)
def same(site: OperatorContext, x: Value, *ignored: Any, **ignored_too: Any) -> Value:
    """What changes where or how the values are kept, or does so only in training."""
    dtype = ignored_too.get("dtype")
    if dtype is torch.bool:
        equal = site.emit("equal", x, site.value(0.0), part="zero")
        return site.emit("equal", equal, site.value(0.0))
    if dtype is not None and not dtype.is_floating_point:
        return x if x.whole else site.whole(site.emit("trunc", x))
    if dtype in (torch.float16, torch.bfloat16):
        return site.emit("round_to", x, dtype=str(dtype).removeprefix("torch."))
    return x
