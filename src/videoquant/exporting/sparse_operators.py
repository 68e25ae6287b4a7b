"""The sparse part of Dense + Sparse in ONNX operators: S of `simulate.activations.quantize_dense_sparse`."""

from __future__ import annotations

import torch
from onnx import TensorProto

from videoquant.exporting.quantized_graph_builder import QuantizedGraphBuilder
from videoquant.exporting.range_operators import WrittenGrid


def sparse_part(sheet: QuantizedGraphBuilder, x: str, dense: str, grid: WrittenGrid) -> str:
    """S = x − D̂ in 16-bit floating point where x lies outside the grid's cells, else 0; its name."""
    step, number = sheet.step, sheet.number
    if grid.fixed is not None:
        lowest, threshold = grid.fixed.cells
        begin, end = number(max(lowest, -threshold), "cell_begin"), number(threshold, "cell_end")
    else:
        zero = step("Cast", grid.zero, part="zero32", to=TensorProto.FLOAT)
        low, end = (
            step("Mul", step("Sub", number(cell, "cell"), zero, part="steps"), grid.scale, part="cell_end")
            for cell in (grid.low - 0.5, grid.high + 0.5)
        )
        begin = step("Max", low, step("Neg", end, part="least"), part="cell_begin")
    below, above = step("Less", x, begin, part="below"), step("Greater", x, end, part="above")
    outside = step("Or", below, above, part="outside")
    largest = torch.finfo(torch.float16).max
    rest = step("Sub", x, dense, part="rest")
    rest = step("Clip", rest, number(-largest, "half_min"), number(largest, "half_max"), part="held")
    half = step("Cast", rest, part="half", to=TensorProto.FLOAT16)
    rest = step("Cast", half, part="whole", to=TensorProto.FLOAT)
    return step("Where", outside, rest, number(0.0, "nothing"), part="sparse")
