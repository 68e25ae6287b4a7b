"""How ONNX's Resize becomes `resize`: ONNX has many ways to place the pixels, and PyTorch only three of them.

Where each pixel comes from is computed by both definitions, and the node is taken if they agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.network.builder import Argument, Site, Table, Value

RESIZING = Table()
_onnx = RESIZING.register

MODES = {"nearest": "nearest", "linear": "bilinear"}
ROUNDINGS = {
    "floor": lambda places: np.floor(places),
    "ceil": lambda places: np.ceil(places),
    "round_prefer_floor": lambda places: np.ceil(places - 0.5),
    "round_prefer_ceil": lambda places: np.floor(places + 0.5),
}

Places = NDArray[np.floating[Any]]
Axis = tuple[int, int, float]  # size, size of the result, their ratio as the file says it


@_onnx("Upsample")
def upsample(site: Site, x: Value, scales: Any, *, mode: str = "nearest") -> Value:
    return resize(site, x, scales, mode=mode)


@_onnx("Resize")
def resize(
    site: Site,
    x: Value,
    roi: Any = None,
    scales: Any = None,
    sizes: Any = None,
    *,
    mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    antialias: int = 0,
    axes: Sequence[int] | None = None,
    keep_aspect_ratio_policy: str = "stretch",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
) -> Value:
    if scales is None and sizes is None:
        # Upsample and opset 10 have no region of interest, and one way to place the pixels.
        scales, coordinate_transformation_mode, nearest_mode = roi, "asymmetric", "floor"
    if mode not in MODES or antialias or keep_aspect_ratio_policy != "stretch" or len(x.shape) != 4:
        raise site.refuse(f"resizing with mode {mode!r}, antialias or a kept aspect ratio is not supported")
    height, width = _axes(site, x, scales, sizes, axes)
    wanted = [_onnx_places(coordinate_transformation_mode, *axis) for axis in (height, width)]
    if mode == "nearest":
        wanted = [ROUNDINGS[nearest_mode](places) for places in wanted]
    for attributes, places in _torch_forms(MODES[mode], height, width):
        pairs = zip(wanted, places, x.shape[2:], strict=True)
        if all(np.allclose(a.clip(0, n - 1), b.clip(0, n - 1), atol=1e-4) for a, b, n in pairs):
            return site.emit("resize", x, mode=MODES[mode], **attributes)
    how = f"{mode} / {coordinate_transformation_mode} / {nearest_mode}"
    raise site.refuse(f"resizing {x.shape[2:]} to {(height[1], width[1])} by {how} is not what PyTorch does")


def _axes(
    site: Site, x: Value, scales: Argument, sizes: Any, axes: Sequence[int] | None
) -> tuple[Axis, Axis]:
    """What happens to height and width."""
    dims = range(4) if axes is None else [axis % 4 for axis in axes]
    changes = [(size, size, 1.0) for size in x.shape]
    if sizes is not None:
        for dim, size in zip(dims, site.integers(sizes, "sizes"), strict=True):
            changes[dim] = (x.shape[dim], size, size / x.shape[dim])
    else:
        for dim, scale in zip(dims, site.fixed(scales, "scales").tolist(), strict=True):
            changes[dim] = (x.shape[dim], math.floor(x.shape[dim] * scale), scale)
    if any(size != result for size, result, _ in changes[:2]):
        raise site.refuse("only height and width can be resized")
    return changes[2], changes[3]


def _onnx_places(mode: str, size: int, result: int, scale: float) -> Places:
    """Where each pixel of the result lies in the input, by ONNX's formulas; NaN for a mode not known here."""
    i = np.arange(result, dtype=np.float64)
    half = (i + 0.5) / scale - 0.5
    known = {
        "asymmetric": i / scale,
        "half_pixel": half,
        "pytorch_half_pixel": half if result > 1 else np.zeros(1),
        "half_pixel_symmetric": half + size / 2 * (1 - result / (scale * size)),
        "align_corners": i * (size - 1) / max(result - 1, 1),
    }
    return known.get(mode, np.full(result, np.nan))


def _torch_forms(mode: str, height: Axis, width: Axis) -> Iterator[tuple[dict[str, Any], list[Places]]]:
    """The attributes that `resize` can have for this result, each with where its pixels lie in the input."""
    by_size = {"size": [height[1], width[1]]}
    by_scale = {"scale": [height[2], width[2]]}
    exact = [(size, result, result / size) for size, result, _ in (height, width)]
    if mode == "nearest":
        yield by_size, [_torch_nearest(n, np.float32(size) / np.float32(n)) for size, n, _ in exact]
        yield by_scale, [_torch_nearest(n, np.float32(1 / scale)) for _, n, scale in (height, width)]
        return
    yield by_size | {"align_corners": False}, [_onnx_places("half_pixel", *axis) for axis in exact]
    yield by_scale | {"align_corners": False}, [_onnx_places("half_pixel", *axis) for axis in (height, width)]
    yield by_size | {"align_corners": True}, [_onnx_places("align_corners", *axis) for axis in exact]


def _torch_nearest(result: int, step: np.float32) -> Places:
    """The pixels that PyTorch takes: ⌊i · step⌋, computed in float32."""
    places: Places = np.floor(np.arange(result, dtype=np.float32) * step)
    return places
