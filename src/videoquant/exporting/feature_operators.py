"""What a range predictor sees of an activation, and the ranges it makes of it, in ONNX operators (QPP).

They compute what `ranges.features` and `ranges.predictor` do, in float64, of the same sample: every a-th row
and b-th column. Quantiles come from the largest (or the smallest) of the sample, sorted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from videoquant.exporting.quantized_graph_builder import QuantizedGraphBuilder
from videoquant.ranges.features import quantile_level, sample_steps
from videoquant.ranges.predictor import Predictor


def write_features(
    sheet: QuantizedGraphBuilder, x: str, shape: Sequence[int], names: Sequence[str], samples: int
) -> str:
    """The named features of a value as a vector of float64; returns its name.

    samples: about how many of its elements they are taken of, at most.
    """
    sample, count = _sample(sheet, x, shape, samples)
    ranks = {
        name: math.floor(level * (count - 1)) for name in names if (level := quantile_level(name)) is not None
    }
    sorted_ends = _sorted_ends(sheet, sample, count, ranks)
    wide = sheet.step("Cast", sample, part="sample64", to=TensorProto.DOUBLE)
    parts = [sorted_ends[name] if name in sorted_ends else _moment(sheet, wide, name) for name in names]
    return sheet.step("Concat", *parts, part="features", axis=0)


def write_ranges(
    sheet: QuantizedGraphBuilder, features: str, predictors: Sequence[Predictor]
) -> list[tuple[str, str]]:
    """The ranges of all predictors that read these features: the names of their ends, float64 scalars."""
    ends = [predictor.end(end) for predictor in predictors for end in (0, 1)]
    slopes = sheet.tensor(np.array([end[0] for end in ends], dtype=np.float64).T, "slopes")
    intercepts, least, most = (
        sheet.tensor(np.array([end[i] for end in ends], dtype=np.float64), part)
        for i, part in ((1, "intercepts"), (2, "smallest"), (3, "largest"))
    )
    found = sheet.step("MatMul", features, slopes, part="slope_sums")
    found = sheet.step("Add", found, intercepts, part="ranges_free")
    found = sheet.step("Min", sheet.step("Max", found, least, part="ranges_up"), most, part="ranges")
    names = [sheet.step("Gather", found, sheet.index(i, "end"), part="end", axis=0) for i in range(len(ends))]
    return list(zip(names[::2], names[1::2], strict=True))


def _sample(sheet: QuantizedGraphBuilder, x: str, shape: Sequence[int], samples: int) -> tuple[str, int]:
    """The sample, flat, and how many elements it has."""
    rows, columns, each = sample_steps(shape, samples)
    flat = sheet.integers([-1], "flat")
    if len(shape) == 4:
        if (rows, columns) != (1, 1):
            steps = ([0, 0], list(shape[2:]), [2, 3], [rows, columns])
            parts = ("starts", "stops", "axes", "strides")
            inputs = [sheet.integers(values, part) for values, part in zip(steps, parts, strict=True)]
            x = sheet.step("Slice", x, *inputs, part="sampled")
        count = shape[0] * shape[1] * -(-shape[2] // rows) * -(-shape[3] // columns)
        return sheet.step("Reshape", x, flat, part="sample"), count
    x = sheet.step("Reshape", x, flat, part="sample")
    count = math.prod(shape)
    if each > 1:
        inputs = [
            sheet.integers([value], part)
            for value, part in ((0, "starts"), (count, "stops"), (0, "axes"), (each, "strides"))
        ]
        x = sheet.step("Slice", x, *inputs, part="sampled")
    return x, -(-count // each)


def _sorted_ends(
    sheet: QuantizedGraphBuilder, sample: str, count: int, ranks: dict[str, int]
) -> dict[str, str]:
    """Elements of the sample by their rank: feature → name of a vector of one float64."""
    found: dict[str, str] = {}
    for largest in (False, True):
        chosen = {
            name: count - 1 - rank if largest else rank
            for name, rank in ranks.items()
            if (2 * rank >= count) == largest
        }
        if not chosen:
            continue
        size = sheet.integers([max(chosen.values()) + 1], "tail")
        part = "top" if largest else "bottom"
        tail = sheet.step("TopK", sample, size, part=part, count=2, largest=int(largest), axis=0)
        wide = sheet.step("Cast", tail, part=f"{part}64", to=TensorProto.DOUBLE)
        for name, rank in chosen.items():
            found[name] = sheet.step("Gather", wide, sheet.integers([rank], "rank"), part="feature", axis=0)
    return found


def _moment(sheet: QuantizedGraphBuilder, sample: str, name: str) -> str:
    """A feature that is no quantile, of a flat sample of float64: a vector of one."""
    step = sheet.step
    mean = step("ReduceMean", sample, part="mean", keepdims=1)
    most, least = (step(f"Reduce{end}", sample, part=end.lower(), keepdims=1) for end in ("Max", "Min"))
    match name:
        case "mean":
            return mean
        case "max":
            return most
        case "min":
            return least
        case "absmax":
            return step("Max", most, step("Neg", least, part="minus"), part="absmax")
        case "std":
            away = step("Sub", sample, mean, part="away")
            square = step("ReduceMean", step("Mul", away, away, part="square"), part="variance", keepdims=1)
            return step("Sqrt", square, part="std")
    raise AssertionError(name)
