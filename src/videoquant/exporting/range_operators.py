"""From a range to a grid in ONNX operators: what `Estimator.grid` computes, on scalars of float64.

A range is two names of float64 scalars, its ends. A grid is a `WrittenGrid`, the names of its float32 scale
and of its zero point.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnx import TensorProto

from videoquant.errors import SchemeError
from videoquant.exporting.quantized_graph_builder import FOUR_BITS, FOUR_BITS_SINCE, QuantizedGraphBuilder
from videoquant.ranges.estimators import Estimator, MinMax
from videoquant.ranges.grid import SMALLEST_SCALE, Grid, span


@dataclass(frozen=True)
class WrittenGrid:
    """A grid in the file.

    scale, zero: the names of the scale, float32, and of the zero point, of the type of the codes: uint8 or
        int8, of 4 bits uint4 or int4 where the opset has them.
    low, high: the first and the last code.
    ends: the names of the values of these, float32; empty where the type has no codes beyond.
    fixed: the grid itself, where it is the same for all frames.
    four_bits: whether codes are of a type of 4 bits.
    """

    scale: str
    zero: str
    low: int
    high: int
    ends: tuple[str, ...]
    fixed: Grid | None = None
    four_bits: bool = False


def fixed_grid(sheet: QuantizedGraphBuilder, grid: Grid, bits: int) -> WrittenGrid:
    """A grid that all frames have, as constants."""
    kind = _type(sheet, bits, grid.low < 0)
    ends: tuple[str, ...] = ()
    if (grid.low, grid.high) != _codes_of(kind):
        ends = tuple(
            sheet.number(end, f"{name}") for name, end in zip(("low", "high"), grid.range, strict=True)
        )
    scale = sheet.number(grid.scale, "scale")
    zero = sheet.code(grid.zero_point, kind, "zero")
    return WrittenGrid(scale, zero, grid.low, grid.high, ends, grid, kind in FOUR_BITS)


def grid_of_range(
    sheet: QuantizedGraphBuilder, low: str, high: str, estimator: Estimator, bits: int, symmetric: bool
) -> WrittenGrid:
    """`estimator.grid((low, high), bits, symmetric)`."""
    first, last = span(bits, symmetric)
    step, number = sheet.step, sheet.double
    if symmetric:
        steps = last + 0.5 if estimator.is_dense else last
        wide = step("Div", high, number(steps, "steps"), part="wide")
        scale = (
            _reaching(sheet, high, number(steps, "steps"), "scale")
            if estimator.is_dense
            else _scale(sheet, wide)
        )
        zero = sheet.code(0, _type(sheet, bits, symmetric), "zero")
        place = None
    elif estimator.is_dense:
        low = step("Max", low, step("Neg", high, part="least"), part="from")
        # The smallest z at which (z + ½)·T ≥ −a·(last + ½ − z), so z ≥ (−a·(last + ½) − T/2) / (T − a).
        over = step("Mul", low, number(-(last + 0.5), "cells"), part="over")
        over = step("Sub", over, step("Mul", high, number(0.5, "half"), part="half_high"), part="needed")
        place = step("Ceil", step("Div", over, step("Sub", high, low, part="width"), part="share"), part="up")
        place = step("Max", place, number(0.0, "none"), part="place")
        above = step("Sub", number(last + 0.5, "cells"), place, part="above")
        below = step("Add", place, number(0.5, "half"), part="below")
        size = step("Neg", low, part="size")
        scale = step(
            "Max",
            _reaching(sheet, high, above, "upper"),
            _reaching(sheet, size, below, "lower"),
            part="scale",
        )
        zero = _cast_code(sheet, place, bits, symmetric)
    else:
        width = step("Sub", high, low, part="width")
        scale = _scale(sheet, step("Div", width, number(last, "steps"), part="wide"))
        exact = step("Cast", scale, part="scale64", to=TensorProto.DOUBLE)
        place = step("Round", step("Div", step("Neg", low, part="size"), exact, part="share"), part="rounded")
        place = step("Clip", place, number(0, "first"), number(last, "last"), part="place")
        zero = _cast_code(sheet, place, bits, symmetric)
    ends: tuple[str, ...] = ()
    if (first, last) != _codes_of(_type(sheet, bits, symmetric)):
        centre = (
            step("Cast", place, part="centre", to=TensorProto.FLOAT) if place else sheet.number(0, "centre")
        )
        ends = tuple(
            step("Mul", step("Sub", sheet.number(code, "code"), centre, part="steps"), scale, part=name)
            for name, code in (("low", first), ("high", last))
        )
    four_bits = _type(sheet, bits, symmetric) in FOUR_BITS
    return WrittenGrid(scale, zero, first, last, ends, four_bits=four_bits)


def measured_grid(
    sheet: QuantizedGraphBuilder, x: str, estimator: Estimator, bits: int, symmetric: bool
) -> WrittenGrid:
    """The grid of what one frame holds. Raises `SchemeError` for estimators without a form in ONNX."""
    if not isinstance(estimator, MinMax):
        raise SchemeError(
            f"ranges that {estimator} measures on each frame have no form in ONNX; minmax has (w8a8 dynamic "
            "minmax), and so do static and predicted ranges"
        )
    step = sheet.step
    if symmetric:
        high = step("ReduceMax", step("Abs", x, part="size"), part="most", keepdims=0)
        low = step("Neg", high, part="least")
    else:
        nothing = sheet.number(0, "nothing")
        high = step("Max", step("ReduceMax", x, part="most", keepdims=0), nothing, part="end")
        low = step("Min", step("ReduceMin", x, part="least", keepdims=0), nothing, part="begin")
    low, high = (step("Cast", end, part="end64", to=TensorProto.DOUBLE) for end in (low, high))
    return grid_of_range(sheet, low, high, estimator, bits, symmetric)


def quantize_linear(sheet: QuantizedGraphBuilder, x: str, grid: WrittenGrid) -> str:
    """The codes of x."""
    clipped = sheet.step("Clip", x, *grid.ends, part="clipped") if grid.ends else x
    return sheet.step("QuantizeLinear", clipped, grid.scale, grid.zero, part="codes")


def _type(sheet: QuantizedGraphBuilder, bits: int, symmetric: bool) -> int:
    if bits == 4 and sheet.opset >= FOUR_BITS_SINCE:
        return int(TensorProto.INT4 if symmetric else TensorProto.UINT4)
    return int(TensorProto.INT8 if symmetric else TensorProto.UINT8)


def _codes_of(kind: int) -> tuple[int, int]:
    """The first and the last code of a type of ONNX."""
    return {
        int(TensorProto.INT8): (-128, 127),
        int(TensorProto.UINT8): (0, 255),
        int(TensorProto.INT4): (-8, 7),
        int(TensorProto.UINT4): (0, 15),
    }[kind]


def _cast_code(sheet: QuantizedGraphBuilder, place: str, bits: int, symmetric: bool) -> str:
    whole = sheet.step("Cast", place, part="place32", to=TensorProto.INT32)
    return sheet.step("Cast", whole, part="zero", to=_type(sheet, bits, symmetric))


def _scale(sheet: QuantizedGraphBuilder, wide: str) -> str:
    least = sheet.step("Max", wide, sheet.double(SMALLEST_SCALE, "least"), part="scale64")
    return sheet.step("Cast", least, part="scale", to=TensorProto.FLOAT)


def _reaching(sheet: QuantizedGraphBuilder, end: str, steps: str, part: str) -> str:
    """The float32 scale nearest to end / steps of which so many steps, in float32, reach `end`."""
    step = sheet.step
    near = _scale(sheet, step("Div", end, steps, part=f"{part}.wide"))
    exact = step("Cast", near, part=f"{part}.near64", to=TensorProto.DOUBLE)
    # Three quarters of 2⁻²³ of a float32 beyond it, rounded, is the next one.
    grown = step("Mul", exact, sheet.double(1 + 0.75 * 2.0**-23, "grown"), part=f"{part}.beyond")
    beyond = step("Cast", grown, part=f"{part}.next", to=TensorProto.FLOAT)
    reached = step(
        "Mul", step("Cast", steps, part=f"{part}.steps", to=TensorProto.FLOAT), near, part=f"{part}.reach"
    )
    wanted = step("Cast", end, part=f"{part}.end", to=TensorProto.FLOAT)
    return step("Where", step("Less", reached, wanted, part=f"{part}.short"), beyond, near, part=part)
