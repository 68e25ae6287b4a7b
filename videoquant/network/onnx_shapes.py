"""How ONNX operators become nodes: padding, and what only moves values. See `onnx_operators`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from videoquant.network.builder import Argument, Site, Table, Value, chunks, dimensions

SHAPES = Table()
_onnx = SHAPES.register

PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


@_onnx("Reshape")
def reshape(site: Site, x: Value, shape: Any, *, allowzero: int = 0) -> Value:
    sizes = site.integers(shape, "sizes")
    if not allowzero:
        sizes = [x.shape[i] if n == 0 else n for i, n in enumerate(sizes)]
    if -1 in sizes:
        sizes[sizes.index(-1)] = math.prod(x.shape) // -math.prod(sizes)
    return site.reshape(x, sizes)


@_onnx("Flatten")
def flatten(site: Site, x: Value, *, axis: int = 1) -> Value:
    axis = axis + len(x.shape) if axis < 0 else axis
    return site.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


@_onnx("Squeeze")
def squeeze(site: Site, x: Value, axes: Any = None) -> Value:
    ones = [i for i, n in enumerate(x.shape) if n == 1]
    gone = ones if axes is None else dimensions(site.integers(axes, "axes"), len(x.shape))
    return site.reshape(x, [n for i, n in enumerate(x.shape) if i not in gone])


@_onnx("Unsqueeze")
def unsqueeze(site: Site, x: Value, axes: Any) -> Value:
    given = site.integers(axes, "axes")
    shape = list(x.shape)
    for axis in dimensions(given, len(shape) + len(given)):
        shape.insert(axis, 1)
    return site.reshape(x, shape)


@_onnx("Transpose")
def transpose(site: Site, x: Value, *, perm: Sequence[int] | None = None) -> Value:
    order = list(range(len(x.shape)))[::-1] if perm is None else list(perm)
    return site.emit("permute", x, dims=order)


@_onnx("Concat")
def concat(site: Site, *values: Argument, axis: int) -> Value:
    inputs = [site.value(value) for value in values]
    return site.emit("concat", *inputs, dim=axis % len(inputs[0].shape))


@_onnx("Slice")
def slices(site: Site, x: Value, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Value:
    first, last = site.integers(starts, "starts"), site.integers(ends, "ends")
    dims = list(range(len(first))) if axes is None else site.integers(axes, "axes")
    strides = [1] * len(first) if steps is None else site.integers(steps, "steps")
    for dim, start, end, step in zip(dims, first, last, strides, strict=True):
        x = site.slice(x, dim, start, end, step)
    return x


@_onnx("Split")
def split(
    site: Site, x: Value, split: Any = None, *, axis: int = 0, num_outputs: int | None = None
) -> Sequence[Value]:
    size = x.shape[axis % len(x.shape)]
    sizes = chunks(size, math.ceil(size / site.outputs)) if split is None else site.integers(split, "sizes")
    return site.split(x, axis, sizes)


@_onnx("Gather")
def gather(site: Site, x: Value, indices: Argument, *, axis: int = 0) -> Value:
    index = site.fixed(indices, "indices")
    if index.dim() != 0:
        raise site.refuse("only a gather of one index is supported; export with slices")
    return site.select(site.running(x), axis, int(index))


@_onnx("DepthToSpace")
def depth_to_space(site: Site, x: Value, *, blocksize: int, mode: str = "DCR") -> Value:
    return site.emit("pixel_shuffle", x, factor=blocksize, order=mode)


@_onnx("Pad")
def pad(
    site: Site, x: Value, pads: Any, value: Any = 0.0, axes: Any = None, *, mode: str = "constant"
) -> Value:
    if mode not in PAD_MODES:
        raise site.refuse(f"padding mode {mode!r} is not supported; known are {', '.join(PAD_MODES)}")
    amounts = site.integers(pads, "pads")
    dims = list(range(len(x.shape)))
    if axes is not None:
        dims = [axis % len(x.shape) for axis in site.integers(axes, "axes")]
    begin, end = amounts[: len(dims)], amounts[len(dims) :]
    by_dim = dict(zip(dims, zip(begin, end, strict=True), strict=True))
    # PyTorch lists them from the last dimension; reflect and replicate take exactly height and width.
    padding = [n for dim in reversed(range(len(x.shape))) for n in by_dim.get(dim, (0, 0))]
    while len(padding) > 4 and padding[-2:] == [0, 0]:
        padding = padding[:-2]
    if not any(padding):
        return x
    fill = 0.0 if value is None else float(site.fixed(value, "value"))
    return site.emit("pad", x, padding=padding, mode=PAD_MODES[mode], value=fill)
