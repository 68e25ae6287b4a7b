"""From a range to a grid in ONNX operators: what `Estimator.grid` computes, on scalars of float64.

A range is two names of float64 scalars, its ends. A grid is a `WrittenGrid`, the names of its float32 scale
and of its zero point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from videoquant.exporting.quantized_graph_builder import FOUR_BITS_SINCE, QuantizedGraphBuilder
from videoquant.ranges.estimators import Estimator
from videoquant.ranges.grid import SMALLEST_SCALE, Grid, span

# The first and the last code of the types of codes.
_SPANS: dict[int, tuple[int, int]] = {
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT4: (-8, 7),
    TensorProto.UINT4: (0, 15),
}


@dataclass(frozen=True)
class WrittenGrid:
    """A grid in the file.

    scale, zero: the names of the scale, float32, and of the zero point, of the type of the codes.
    low, high: the first and the last code.
    ends: the names of what the first and the last code stand for, float32, as `quantize_linear` clips; empty
        where the type has no codes beyond.
    fixed: the grid itself, where it is the same for all frames.
    """

    scale: str
    zero: str
    low: int
    high: int
    ends: tuple[str, ...]
    fixed: Grid | None = None


@dataclass(frozen=True)
class _Codes:
    """How the codes of a grid are written.

    kind: their type, of `TensorProto`.
    shift: what is added to them, so that signed ones fit a type that has no sign.
    low, high: the first and the last, with that.
    """

    kind: int
    shift: int
    low: int
    high: int

    @classmethod
    def of(cls, sheet: QuantizedGraphBuilder, bits: int, symmetric: bool) -> _Codes:
        low, high = span(bits, symmetric)
        if sheet.integer:  # its layers take uint8 alone
            shift = 128 if symmetric else 0
            return cls(TensorProto.UINT8, shift, low + shift, high + shift)
        if bits == 4 and sheet.opset >= FOUR_BITS_SINCE:
            return cls(TensorProto.INT4 if symmetric else TensorProto.UINT4, 0, low, high)
        return cls(TensorProto.INT8 if symmetric else TensorProto.UINT8, 0, low, high)

    @property
    def fill_their_type(self) -> bool:
        return (self.low, self.high) == _SPANS[self.kind]


def fixed_grid(sheet: QuantizedGraphBuilder, grid: Grid, bits: int) -> WrittenGrid:
    """A grid that all frames have, as constants."""
    codes = _Codes.of(sheet, bits, grid.low < 0)
    ends: tuple[str, ...] = ()
    if not codes.fill_their_type:
        steps = (grid.low - grid.zero_point, grid.high - grid.zero_point)
        at = steps if sheet.integer else grid.range
        ends = tuple(sheet.number(end, part) for part, end in zip(("low", "high"), at, strict=True))
    zero = sheet.code(grid.zero_point + codes.shift, codes.kind, "zero")
    return WrittenGrid(sheet.number(grid.scale, "scale"), zero, codes.low, codes.high, ends, grid)


def grid_of_range(
    sheet: QuantizedGraphBuilder, low: str, high: str, estimator: Estimator, bits: int, symmetric: bool
) -> WrittenGrid:
    """`estimator.grid((low, high), bits, symmetric)`."""
    codes, step = _Codes.of(sheet, bits, symmetric), sheet.step
    last = span(bits, symmetric)[1]
    if symmetric:
        scale = _symmetric_scale(sheet, high, last, estimator.is_dense)
        zero, centre = sheet.code(codes.shift, codes.kind, "zero"), sheet.number(codes.shift, "centre")
    else:
        scale, place = (_dense if estimator.is_dense else _affine)(sheet, low, high, last)
        whole = step("Cast", place, part="place32", to=TensorProto.INT32)
        zero = step("Cast", whole, part="zero", to=codes.kind)
        centre = step("Cast", place, part="centre", to=TensorProto.FLOAT)
    ends: tuple[str, ...] = ()
    if not codes.fill_their_type:
        ends = tuple(
            step("Sub", sheet.number(code, "code"), centre, part=f"{part}.steps")
            for part, code in (("low", codes.low), ("high", codes.high))
        )
        if not sheet.integer:
            ends = tuple(
                step("Mul", end, scale, part=part) for part, end in zip(("low", "high"), ends, strict=True)
            )
    return WrittenGrid(scale, zero, codes.low, codes.high, ends)


def _symmetric_scale(sheet: QuantizedGraphBuilder, limit: str, last: int, dense: bool) -> str:
    """The scale of `Grid.symmetric`, or of a symmetric `Grid.dense`."""
    if dense:
        return _reaching(sheet, limit, sheet.double(last + 0.5, "steps"), "scale")
    return _scale(sheet, sheet.step("Div", limit, sheet.double(last, "steps"), part="wide"))


def _affine(sheet: QuantizedGraphBuilder, low: str, high: str, last: int) -> tuple[str, str]:
    """Scale and zero point, float64, of `Grid.affine`."""
    step, number = sheet.step, sheet.double
    width = step("Sub", high, low, part="width")
    scale = _scale(sheet, step("Div", width, number(last, "steps"), part="wide"))
    exact = step("Cast", scale, part="scale64", to=TensorProto.DOUBLE)
    place = step("Round", step("Div", step("Neg", low, part="size"), exact, part="share"), part="rounded")
    return scale, step("Clip", place, number(0, "first"), number(last, "last"), part="place")


def _dense(sheet: QuantizedGraphBuilder, low: str, high: str, last: int) -> tuple[str, str]:
    """Scale and zero point, float64, of `Grid.dense`; high is T.

    The smallest z at which (z + ½)·T ≥ −a·(last + ½ − z), so z ≥ (−a·(last + ½) − T/2) / (T − a).
    """
    step, number = sheet.step, sheet.double
    low = step("Max", low, step("Neg", high, part="least"), part="from")
    over = step("Mul", low, number(-(last + 0.5), "cells"), part="over")
    over = step("Sub", over, step("Mul", high, number(0.5, "half"), part="half_high"), part="needed")
    place = step("Ceil", step("Div", over, step("Sub", high, low, part="width"), part="share"), part="up")
    place = step("Max", place, number(0.0, "none"), part="place")
    above = step("Sub", number(last + 0.5, "cells"), place, part="above")
    below = step("Add", place, number(0.5, "half"), part="below")
    upper = _reaching(sheet, high, above, "upper")
    lower = _reaching(sheet, step("Neg", low, part="size"), below, "lower")
    return step("Max", upper, lower, part="scale"), place


def quantize_linear(sheet: QuantizedGraphBuilder, x: str, grid: WrittenGrid) -> str:
    """The codes of x.

    QuantizeLinear divides by the scale, a `Grid` multiplies by its reciprocal: one value in some ten thousand
    lies so near to the middle of two codes that it goes to the other. Integer layers promise the engine's own
    codes, so they multiply too; QDQ is written as runtimes know it.
    """
    scale = grid.scale
    if sheet.integer:
        one = sheet.number(1, "one")
        if grid.fixed is not None:
            reciprocal = sheet.number(float(np.float32(1) / np.float32(grid.fixed.scale)), "reciprocal")
        else:
            reciprocal = sheet.step("Div", one, scale, part="reciprocal")
        x, scale = sheet.step("Mul", x, reciprocal, part="share"), one
    if grid.ends:
        x = sheet.step("Clip", x, *grid.ends, part="clipped")
    return sheet.step("QuantizeLinear", x, scale, grid.zero, part="codes")


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
