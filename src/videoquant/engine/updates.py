"""Range updates: where a program sets grids that are known only at run time."""

from __future__ import annotations

from collections.abc import Iterable

from videoquant.engine.quantizers import FrameKind, LoweredQuantizer, QuantizerEmitter
from videoquant.ranges.features import sample_steps
from videoquant.runtime.program import GridPrediction, MeasuredRange, PredictedRanges
from videoquant.simulate.parameters import FeatureSpec


def measured_range(
    quantizer: LoweredQuantizer, before_op: int, slot: int, grid: int, kind: FrameKind
) -> MeasuredRange:
    """Measure the value in a slot, and set the quantizer's grid to its range."""
    bits, source = quantizer.bits(kind), quantizer.source.to_json()
    return MeasuredRange(before_op, slot, grid, bits, kind == "residual", source)


def predicted_ranges(
    value: str,
    before_op: int,
    slot: int,
    shape: tuple[int, ...],
    watched: FeatureSpec,
    quantizers: Iterable[LoweredQuantizer],
    emitter: QuantizerEmitter,
    kind: FrameKind,
) -> PredictedRanges | None:
    """Take the features of a value, and set every grid that is predicted from them; None where none is.

    shape: of what the slot holds, as the network has it. A value that sets no grid in these frames may still
    be remembered: later frames take features of their difference from it.
    """
    grids = tuple(
        GridPrediction(
            emitter.grid(quantizer),
            quantizer.bits(kind),
            kind == "residual",
            emitter.dense_sparse,
            predictor.end(0),
            predictor.end(1),
        )
        for quantizer in quantizers
        if (predictor := quantizer.source.predictor) is not None and predictor.position == value
    )
    time = emitter.time
    remember = bool(time and watched.residual and (kind == "key" or time.recurrent))
    if not grids and not remember:
        return None
    features = watched.key if kind == "key" else watched.residual
    return PredictedRanges(
        before_op, slot, value, features, sample_steps(shape, watched.samples), grids, remember
    )
