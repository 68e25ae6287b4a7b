"""Range updates: where a program sets grids that are known only at run time."""

from __future__ import annotations

from collections.abc import Iterable

from videoquant.engine.quantizers import FrameKind, LoweredQuantizer, QuantizerEmitter
from videoquant.ranges.features import sample_steps
from videoquant.runtime.program import GridPrediction, MeasuredRange, PredictedRanges
from videoquant.simulate.activations import DynamicGrid, PredictedGrid
from videoquant.simulate.parameters import FeatureSpec


def measured_range(quantizer: LoweredQuantizer, before_op: int, slot: int, grid: int) -> MeasuredRange:
    """Measure the value in a slot, and set the quantizer's grid to its range."""
    assert isinstance(quantizer.source, DynamicGrid)
    return MeasuredRange(before_op, slot, grid, quantizer.source.bits, quantizer.source.symmetric)


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
        _prediction(emitter.grid(quantizer), quantizer.source)
        for quantizer in quantizers
        if isinstance(quantizer.source, PredictedGrid) and quantizer.source.predictor.position == value
    )
    time = emitter.time
    remember = bool(time and watched.residual and (kind == "key" or time.recurrent))
    if not grids and not remember:
        return None
    features = watched.key if kind == "key" else watched.residual
    return PredictedRanges(before_op, slot, value, features, sample_steps(shape), grids, remember)


def _prediction(grid: int, source: PredictedGrid) -> GridPrediction:
    low, high = (source.predictor.end(end) for end in (0, 1))
    return GridPrediction(grid, source.bits, source.symmetric, source.estimator.is_dense, low, high)
