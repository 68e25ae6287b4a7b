"""The range of what one frame holds, in ONNX operators: what `Estimator.measure` finds, for those that sort.

Quantiles come from the largest values, sorted, as many as lie above them.
"""

from __future__ import annotations

import math

from onnx import TensorProto

from videoquant.errors import SchemeError
from videoquant.exporting.quantized_graph_builder import QuantizedGraphBuilder
from videoquant.ranges.estimators import Estimator, MinMax, Quantile, Threshold


def measured_range(
    sheet: QuantizedGraphBuilder, x: str, count: int, estimator: Estimator, bits: int, symmetric: bool
) -> tuple[str, str]:
    """The names of the ends, float64 scalars, of a value of so many elements.

    Raises `SchemeError` for estimators without a form in ONNX: those that search.
    """
    match estimator:
        case MinMax():
            low, high = _extremes(sheet, x, symmetric)
        case Quantile():
            low, high = _quantiles(sheet, x, count, estimator.alpha, symmetric)
        case Threshold():
            low, high = _threshold(sheet, x, count, estimator.density, bits, symmetric)
        case _:
            raise SchemeError(
                f"ranges that {estimator} measures on each frame have no form in ONNX; minmax and quantile "
                "have (w8a8 dynamic minmax), and so do static and predicted ranges"
            )
    return low, high


def _extremes(sheet: QuantizedGraphBuilder, x: str, symmetric: bool) -> tuple[str, str]:
    step = sheet.step
    if symmetric:
        high = _wide(sheet, step("ReduceMax", step("Abs", x, part="size"), part="most", keepdims=0))
        return step("Neg", high, part="least"), high
    ends = (step("ReduceMin", x, part="least", keepdims=0), step("ReduceMax", x, part="most", keepdims=0))
    return _around_zero(sheet, *(_wide(sheet, end) for end in ends))


def _quantiles(
    sheet: QuantizedGraphBuilder, x: str, count: int, alpha: float, symmetric: bool
) -> tuple[str, str]:
    step = sheet.step
    if symmetric:
        high = _upper_quantile(sheet, step("Abs", x, part="size"), count, alpha)
        return step("Neg", high, part="least"), high
    below = _upper_quantile(sheet, step("Neg", x, part="turned"), count, alpha)
    return _around_zero(sheet, step("Neg", below, part="below"), _upper_quantile(sheet, x, count, alpha))


def _threshold(
    sheet: QuantizedGraphBuilder, x: str, count: int, density: float, bits: int, symmetric: bool
) -> tuple[str, str]:
    step = sheet.step
    sizes = step("Abs", x, part="size")
    sought = _upper_quantile(sheet, sizes, count, 1 - density)
    most = _wide(sheet, step("ReduceMax", sizes, part="most", keepdims=0))
    beyond = step("Mul", sought, sheet.double(1 + 0.5 / (2 ** (bits - symmetric) - 1), "half"), part="beyond")
    high = step("Where", step("Less", sought, most, part="exceeded"), sought, beyond, part="threshold")
    low = step("Neg", high, part="least")
    if not symmetric:
        begin = _wide(sheet, step("ReduceMin", x, part="begin", keepdims=0))
        low = step("Max", low, step("Min", begin, sheet.double(0, "nothing"), part="negative"), part="low")
    return low, high


def _upper_quantile(sheet: QuantizedGraphBuilder, x: str, count: int, alpha: float) -> str:
    """`estimators.quantile.upper_quantile`, to the last bit."""
    step = sheet.step
    rank = alpha * (count - 1)
    below = math.floor(rank)
    flat = step("Reshape", x, sheet.integers([-1], "flat"), part="values")
    tail = step("TopK", flat, sheet.integers([count - below], "tail"), part="top", count=2, axis=0)
    low, high = (
        _wide(sheet, step("Gather", tail, sheet.index(place, "rank"), part="element", axis=0))
        for place in (count - below - 1, max(count - below - 2, 0))
    )
    away = step("Mul", step("Sub", high, low, part="gap"), sheet.double(rank - below, "share"), part="away")
    return step("Add", low, away, part="quantile")


def _around_zero(sheet: QuantizedGraphBuilder, low: str, high: str) -> tuple[str, str]:
    nothing = sheet.double(0, "nothing")
    return sheet.step("Min", low, nothing, part="begin"), sheet.step("Max", high, nothing, part="end")


def _wide(sheet: QuantizedGraphBuilder, x: str) -> str:
    return sheet.step("Cast", x, part="end64", to=TensorProto.DOUBLE)
