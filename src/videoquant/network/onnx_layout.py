"""How the operators that only move or resample values are written in ONNX; for others see `onnx_emitters`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from videoquant.network.onnx_graph_builder import OnnxEmitters, OnnxGraphBuilder
from videoquant.network.onnx_resize import nearest, nearest_is_asymmetric

LAYOUT_OPERATORS = OnnxEmitters()
form = LAYOUT_OPERATORS.register

PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


@form
def resize(
    sheet: OnnxGraphBuilder,
    x: str,
    *,
    mode: str,
    size: Sequence[int] | None = None,
    scale: Sequence[float] | None = None,
    align_corners: bool = False,
) -> None:
    attributes: dict[str, Any]
    if mode == "nearest" and not nearest_is_asymmetric(sheet.shapes[0][2:], sheet.shape[2:], scale):
        for dim, ratio in zip((2, 3), scale or (None, None), strict=True):
            rows = sheet.integers(nearest(sheet.shapes[0][dim], sheet.shape[dim], ratio), "places")
            if dim == 2:
                x = sheet.step("Gather", x, rows, part="rows", axis=2)
            else:
                sheet.write("Gather", x, rows, axis=3)
        return
    if mode == "nearest":
        attributes = {"mode": "nearest", "nearest_mode": "floor"}
        attributes["coordinate_transformation_mode"] = "asymmetric"
    else:
        place = "align_corners" if align_corners else "half_pixel"
        attributes = {
            "mode": "linear" if mode == "bilinear" else "cubic",
            "coordinate_transformation_mode": place,
        }
    if size is not None:
        sizes = sheet.integers([*sheet.shapes[0][:2], *size], "size")
        sheet.write("Resize", x, "", "", sizes, **attributes)
    else:
        scales = sheet.tensor(np.array([1, 1, *(scale or ())], dtype=np.float32), "scale")
        sheet.write("Resize", x, "", scales, **attributes)


@form
def pixel_shuffle(sheet: OnnxGraphBuilder, x: str, *, factor: int, order: str = "CRD") -> None:
    sheet.write("DepthToSpace", x, blocksize=factor, mode=order)


@form
def concat(sheet: OnnxGraphBuilder, *values: str, dim: int) -> None:
    sheet.write("Concat", *values, axis=dim)


@form
def slice(sheet: OnnxGraphBuilder, x: str, *, dim: int, start: int, end: int, step: int = 1) -> None:
    bounds = {"start": start, "end": end, "dim": dim, "step": step}
    sheet.write("Slice", x, *(sheet.integers([number], part) for part, number in bounds.items()))


@form
def pad(sheet: OnnxGraphBuilder, x: str, *, padding: Sequence[int], mode: str, value: float = 0.0) -> None:
    # PyTorch lists (before, after) from the last dimension, ONNX all befores and then all afters.
    amounts = [*padding, *[0] * (2 * len(sheet.shape) - len(padding))]
    pads = sheet.integers([*amounts[-2::-2], *amounts[::-2]], "pads")
    fill = [sheet.number(value, "value")] if mode == "constant" else []
    sheet.write("Pad", x, pads, *fill, mode=PAD_MODES[mode])


@form
def reshape(sheet: OnnxGraphBuilder, x: str, *, shape: Sequence[int]) -> None:
    sheet.write("Reshape", x, sheet.integers(shape, "shape"))


@form
def permute(sheet: OnnxGraphBuilder, x: str, *, dims: Sequence[int]) -> None:
    sheet.write("Transpose", x, perm=dims)


@form
def expand(sheet: OnnxGraphBuilder, x: str, *, shape: Sequence[int]) -> None:
    sheet.write("Expand", x, sheet.integers(shape, "shape"))


@form
def tile(sheet: OnnxGraphBuilder, x: str, *, repeats: Sequence[int]) -> None:
    sheet.write("Tile", x, sheet.integers(repeats, "repeats"))


@form
def argmax(sheet: OnnxGraphBuilder, x: str, *, dim: int, keepdim: bool) -> None:
    found = sheet.step("ArgMax", x, part="index", axis=dim, keepdims=int(keepdim))
    sheet.write("Cast", found, to=TensorProto.FLOAT)


@form
def topk_values(sheet: OnnxGraphBuilder, x: str, *, k: int, dim: int, largest: bool) -> None:
    sheet.write_first("TopK", x, sheet.integers([k], "k"), axis=dim, largest=int(largest))


@form
def topk_indices(sheet: OnnxGraphBuilder, x: str, *, k: int, dim: int, largest: bool) -> None:
    found = sheet.step(
        "TopK", x, sheet.integers([k], "k"), part="index", which=1, axis=dim, largest=int(largest)
    )
    sheet.write("Cast", found, to=TensorProto.FLOAT)


def _picking(op: str, onnx: str, **names: str) -> None:
    """An operator that reads indices, integers in ONNX. names: of its attributes, here and there."""

    def write(sheet: OnnxGraphBuilder, x: str, index: str, **attributes: Any) -> None:
        whole = sheet.step("Cast", index, part="whole", to=TensorProto.INT64)
        sheet.write(onnx, x, whole, **{names[name]: value for name, value in attributes.items()})

    LAYOUT_OPERATORS[op] = write


_picking("gather", "Gather", dim="axis")
_picking("gather_elements", "GatherElements", dim="axis")
_picking("gather_nd", "GatherND", batch_dims="batch_dims")


@form
def grid_sample(
    sheet: OnnxGraphBuilder, x: str, grid: str, *, mode: str, padding: str, align_corners: bool
) -> None:
    names = {"bilinear": "linear", "bicubic": "cubic"}
    known = {"mode": names.get(mode, mode), "padding_mode": padding, "align_corners": int(align_corners)}
    sheet.write("GridSample", x, grid, **known)
