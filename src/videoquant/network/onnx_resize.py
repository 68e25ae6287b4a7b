"""How ONNX's Resize becomes `resize`: ONNX has many ways to place the pixels, and PyTorch only three of them.

Where each pixel comes from is computed by both definitions, and the node is taken if they agree. ONNX's side
is computed in float32, as ONNX Runtime does: where a pixel lies on an edge, the last bit decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.errors import NetworkError
from videoquant.limits import check_size
from videoquant.network.builder import Argument, OperatorContext, OperatorRegistry, Value

RESIZING = OperatorRegistry()
_onnx = RESIZING.register

MODES = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}
ROUNDINGS = {
    "floor": lambda places: np.floor(places),
    "ceil": lambda places: np.ceil(places),
    "round_prefer_floor": lambda places: np.ceil(places - 0.5),
    "round_prefer_ceil": lambda places: np.floor(places + 0.5),
}

Places = NDArray[np.floating[Any]]
Axis = tuple[int, int, np.float32]  # size, size of the result, their ratio as the file says it


@_onnx("Upsample")
def upsample(site: OperatorContext, x: Value, scales: Any, *, mode: str = "nearest") -> Value:
    return resize(site, x, scales, mode=mode)


@_onnx("Resize")
def resize(
    site: OperatorContext,
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
        scales, coordinate_transformation_mode, nearest_mode = roi, "asymmetric", "simple"
    if mode not in MODES or antialias or keep_aspect_ratio_policy != "stretch" or len(x.shape) != 4:
        raise site.refuse(f"resizing with mode {mode!r}, antialias or a kept aspect ratio is not supported")
    if mode == "cubic" and (cubic_coeff_a != -0.75 or exclude_outside):
        raise site.refuse(f"cubic resizing with a = {cubic_coeff_a} or exclude_outside is not PyTorch's")
    height, width = _axes(site, x, scales, sizes, axes)
    shape = (*x.shape[:2], height[1], width[1])
    if min(shape[2:]) < 1:
        raise site.refuse(f"resizing {x.shape[2:]} to {shape[2:]} leaves nothing")
    check_size(4 * math.prod(shape), site.place, NetworkError)
    wanted = [_onnx_places(coordinate_transformation_mode, *axis) for axis in (height, width)]
    if mode == "nearest":
        wanted = [_rounded(nearest_mode, *pair) for pair in zip(wanted, (height, width), strict=True)]
    for attributes, places in _torch_forms(MODES[mode], height, width):
        pairs = zip(wanted, places, x.shape[2:], strict=True)
        # Between the outermost pixels and beyond, a cubic reads others than the nearest.
        margin = 2 if mode == "cubic" else 0
        if all(_same(*(places.clip(-margin, n - 1 + margin) for places in (a, b))) for a, b, n in pairs):
            return site.emit("resize", x, mode=MODES[mode], **attributes)
    how = f"{mode} / {coordinate_transformation_mode} / {nearest_mode}"
    raise site.refuse(f"resizing {x.shape[2:]} to {(height[1], width[1])} by {how} is not what PyTorch does")


def nearest(size: int, result: int, scale: float | None) -> list[int]:
    """The pixels of one axis that PyTorch takes for a result of such a size, or of such a scale."""
    step = np.float32(size) / np.float32(result) if scale is None else np.float32(1 / scale)
    return [int(place) for place in _torch_nearest(size, result, step).clip(0, size - 1)]


def nearest_is_asymmetric(
    before: Sequence[int], after: Sequence[int], scales: Sequence[float] | None
) -> bool:
    """Whether PyTorch takes the pixels of asymmetric coordinates, rounded down, on both axes."""
    for size, result, scale in zip(before, after, scales or (None, None), strict=True):
        ratio = np.float32(result / size if scale is None else scale)
        wanted = np.floor(_onnx_places("asymmetric", size, result, ratio)).clip(0, size - 1)
        if wanted.tolist() != nearest(size, result, scale):
            return False
    return True


def _axes(
    site: OperatorContext, x: Value, scales: Argument, sizes: Any, axes: Sequence[int] | None
) -> tuple[Axis, Axis]:
    """What happens to height and width."""
    dims = range(4) if axes is None else site.axes(axes, 4)
    changes = [(size, size, np.float32(1)) for size in x.shape]
    goals = [] if sizes is None else site.integers(sizes, "sizes")
    ratios = (
        [np.float32(goal / x.shape[dim]) for goal, dim in zip(goals, dims, strict=False)]
        if goals
        else np.array(site.fixed(scales, "scales").tolist(), np.float32).ravel()
    )
    if len(ratios) != len(dims) or (goals and len(goals) != len(dims)):
        raise site.refuse(f"it has {len(ratios)} scales or sizes for {len(dims)} dimensions")
    for index, (dim, ratio) in enumerate(zip(dims, ratios, strict=True)):
        if not (np.isfinite(ratio) and ratio > 0):
            raise site.refuse(f"its scales or sizes must be positive; one scale is {ratio}")
        size = x.shape[dim]
        # The product in float32: 10 times the float32 next to 2.3 is 23, in real numbers a little less.
        goal = goals[index] if goals else math.floor(np.float32(size) * ratio)
        changes[dim] = (size, goal, ratio)
    if any(size != result for size, result, _ in changes[:2]):
        raise site.refuse("only height and width can be resized")
    return changes[2], changes[3]


def _onnx_places(mode: str, size: int, result: int, scale: np.float32) -> Places:
    """Where each pixel of the result lies in the input, by ONNX's formulas; NaN for a mode not known here."""
    i, one = np.arange(result, dtype=np.float32), np.float32(1)
    half = (i + one / 2) / scale - one / 2
    known = {
        "asymmetric": i / scale,
        "half_pixel": half,
        "pytorch_half_pixel": half if result > 1 else np.zeros(1, np.float32),
        "half_pixel_symmetric": half + np.float32(size / 2) * (one - np.float32(result) / (scale * size)),
        "align_corners": i * np.float32(size - 1) / np.float32(max(result - 1, 1)),
    }
    return known.get(mode, np.full(result, np.nan))


def _rounded(rounding: str, places: Places, axis: Axis) -> Places:
    """The pixels that a nearest mode takes. "simple" is how opset 10 and older do, towards the far side."""
    if rounding == "simple":
        rounding = "ceil" if axis[2] < 1 else "floor"
    rounded: Places = ROUNDINGS[rounding](places)
    return rounded


def _same(a: Places, b: Places) -> bool:
    """Whether pixels lie in the same places, but for the rounding of float32."""
    return bool(np.allclose(a, b, rtol=3e-7, atol=1e-4))


def _torch_forms(mode: str, height: Axis, width: Axis) -> Iterator[tuple[dict[str, Any], list[Places]]]:
    """The attributes that `resize` can have for this result, each with where its pixels lie in the input."""
    both = (height, width)
    by_size = {"size": [height[1], width[1]]}
    by_scale = {"scale": [float(height[2]), float(width[2])]}
    # PyTorch takes the floor of the product in double, which may be a pixel less.
    scales_fit = all(math.floor(size * float(scale)) == result for size, result, scale in both)
    exact = [(size, result, np.float32(result / size)) for size, result, _ in both]
    if mode == "nearest":
        yield by_size, [_torch_nearest(size, n, np.float32(size) / np.float32(n)) for size, n, _ in exact]
        if scales_fit:
            yield by_scale, [_torch_nearest(size, n, np.float32(1 / float(scale))) for size, n, scale in both]
        return
    yield by_size | {"align_corners": False}, [_torch_linear("half_pixel", axis) for axis in exact]
    if scales_fit:
        yield by_scale | {"align_corners": False}, [_torch_linear("half_pixel", axis) for axis in both]
    yield by_size | {"align_corners": True}, [_torch_linear("align_corners", axis) for axis in exact]


def _torch_linear(mode: str, axis: Axis) -> Places:
    """Where PyTorch places pixels: by the formula, but a size that stays is copied, whatever the scale."""
    size, result, _ = axis
    return np.arange(result, dtype=np.float32) if size == result else _onnx_places(mode, *axis)


def _torch_nearest(size: int, result: int, step: np.float32) -> Places:
    """The pixels that PyTorch takes: ⌊i · step⌋ in float32, but ⌊i / 2⌋ where the size doubles."""
    i = np.arange(result, dtype=np.float32)
    places: Places = np.floor(i / np.float32(result // size) if result in (size, 2 * size) else i * step)
    return places
