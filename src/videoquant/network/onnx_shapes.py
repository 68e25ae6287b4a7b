"""How ONNX operators become nodes: padding, and what only moves values. See `onnx_operators`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from videoquant.network.builder import Argument, OperatorContext, OperatorRegistry, Value, chunks

SHAPES = OperatorRegistry()
_onnx = SHAPES.register

PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


@_onnx("Reshape")
def reshape(site: OperatorContext, x: Value, shape: Any, *, allowzero: int = 0) -> Value:
    given, whole = site.integers(shape, "sizes"), math.prod(x.shape)
    if any(n < -1 or (n == 0 and not allowzero and i >= len(x.shape)) for i, n in enumerate(given)):
        raise site.refuse(f"a value of shape {x.shape} cannot have the shape {given}")
    sizes = given if allowzero else [x.shape[i] if n == 0 else n for i, n in enumerate(given)]
    known = math.prod(n for n in sizes if n != -1)
    if sizes.count(-1) == 1 and known:
        sizes = [whole // known if n == -1 else n for n in sizes]
    if math.prod(sizes) != whole or -1 in sizes:
        raise site.refuse(f"a value of shape {x.shape} cannot have the shape {given}")
    return site.reshape(x, sizes)


@_onnx("Flatten")
def flatten(site: OperatorContext, x: Value, *, axis: int = 1) -> Value:
    if axis != len(x.shape):  # one behind the last is allowed here
        axis = site.axis(axis, len(x.shape))
    return site.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


@_onnx("Squeeze")
def squeeze(site: OperatorContext, x: Value, axes: Any = None) -> Value:
    ones = [i for i, n in enumerate(x.shape) if n == 1]
    gone = site.axes([] if axes is None else site.integers(axes, "axes"), len(x.shape)) or ones
    if not set(gone) <= set(ones):
        raise site.refuse(f"dimensions {gone} of shape {x.shape} are not all of size 1")
    return site.reshape(x, [n for i, n in enumerate(x.shape) if i not in gone])


@_onnx("Unsqueeze")
def unsqueeze(site: OperatorContext, x: Value, axes: Any) -> Value:
    given = site.integers(axes, "axes")
    shape = list(x.shape)
    for axis in sorted(site.axes(given, len(shape) + len(given))):
        shape.insert(axis, 1)
    return site.reshape(x, shape)


@_onnx("Transpose")
def transpose(site: OperatorContext, x: Value, *, perm: Sequence[int] | None = None) -> Value:
    rank = len(x.shape)
    order = list(range(rank))[::-1] if perm is None else site.axes(perm, rank)
    return site.permute(x, order)


@_onnx("Concat")
def concat(site: OperatorContext, *values: Argument, axis: int) -> Value:
    inputs = [site.value(value) for value in values]
    dim = site.axis(axis, len(inputs[0].shape))
    return site.emit("concat", *inputs, dim=dim)


@_onnx("Slice")
def slices(
    site: OperatorContext, x: Value, starts: Any, ends: Any, axes: Any = None, steps: Any = None
) -> Value:
    first, last = site.integers(starts, "starts"), site.integers(ends, "ends")
    dims = list(range(len(first))) if axes is None else site.integers(axes, "axes")
    strides = [1] * len(first) if steps is None else site.integers(steps, "steps")
    if not len(first) == len(last) == len(dims) == len(strides):
        raise site.refuse("starts, ends, axes and steps must be as many as each other")
    site.axes(dims, len(x.shape))
    for dim, start, end, step in zip(dims, first, last, strides, strict=True):
        x = site.slice(x, dim, start, end, step)
    return x


@_onnx("Split")
def split(
    site: OperatorContext, x: Value, split: Any = None, *, axis: int = 0, num_outputs: int | None = None
) -> Sequence[Value]:
    size = x.shape[site.axis(axis, len(x.shape))]
    share = math.ceil(size / site.outputs)
    sizes = chunks(size, share) if split is None else site.integers(split, "sizes")
    if len(sizes) != site.outputs or sum(sizes) != size or min(sizes) < 0:
        raise site.refuse(f"its {site.outputs} parts of sizes {sizes} do not make up a dimension of {size}")
    if split is None and num_outputs is None and size % site.outputs:
        raise site.refuse(f"a dimension of {size} cannot be split into {site.outputs} equal parts")
    if num_outputs not in (None, site.outputs):
        raise site.refuse(f"num_outputs is {num_outputs}, but it has {site.outputs} outputs")
    return site.split(x, axis, sizes)


@_onnx("DepthToSpace")
def depth_to_space(site: OperatorContext, x: Value, *, blocksize: int, mode: str = "DCR") -> Value:
    return site.emit("pixel_shuffle", x, factor=blocksize, order=mode)


@_onnx("Pad")
def pad(
    site: OperatorContext, x: Value, pads: Any, value: Any = 0.0, axes: Any = None, *, mode: str = "constant"
) -> Value:
    rank = len(x.shape)
    if mode not in PAD_MODES:
        raise site.refuse(f"padding mode {mode!r} is not supported; known are {', '.join(PAD_MODES)}")
    amounts = site.integers(pads, "pads")
    dims = list(range(rank)) if axes is None else site.axes(site.integers(axes, "axes"), rank)
    if len(amounts) != 2 * len(dims):
        raise site.refuse(f"it has {len(amounts)} pads for {len(dims)} dimensions; it needs two for each")
    begin, end = amounts[: len(dims)], amounts[len(dims) :]
    by_dim = dict(zip(dims, zip(begin, end, strict=True), strict=True))
    # PyTorch lists them from the last dimension; reflect and replicate take exactly height and width.
    padding = [n for dim in reversed(range(rank)) for n in by_dim.get(dim, (0, 0))]
    while len(padding) > 4 and padding[-2:] == [0, 0]:
        padding = padding[:-2]
    if not any(padding):
        return x
    number = (
        torch.zeros((), dtype=torch.float32, device="cpu") if value is None else site.fixed(value, "value")
    )
    if number.numel() != 1 or bool(number.isnan().any()):
        raise site.refuse(f"the value it pads with must be one number; it is {number.tolist()}"[:200])
    fill = float(number)
    return site.emit("pad", x, padding=padding, mode=PAD_MODES[mode], value=fill)
