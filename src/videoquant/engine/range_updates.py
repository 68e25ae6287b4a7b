"""Ranges that are known only at run time: where a program sets grids anew, and from what (docs/plan.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from videoquant.engine.points import FrameKind, Stores, Use
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.ranges.features import sample_steps
from videoquant.simulate.activations import DynamicGrid, PredictedGrid
from videoquant.simulate.parameters import FeatureSpec


def measure(use: Use, grid: int, shape: tuple[int, ...]) -> dict[str, Any]:
    """Measure a value, whose shape in the network is `shape`, and set a grid to its range."""
    assert isinstance(use.source, DynamicGrid)
    return {
        "shape": shape,
        "grid": grid,
        "bits": use.source.bits,
        "symmetric": use.source.symmetric,
    }


def predict(
    value: str,
    shape: tuple[int, ...],
    watched: FeatureSpec,
    uses: Mapping[QuantizationPoint, Use],
    stores: Stores,
    kind: FrameKind,
) -> dict[str, Any]:
    """Take the features of a value, and set every grid that is predicted from them.

    remember: whether later frames need the value itself, to take features of their difference from it.
    """
    grids = [
        {
            "grid": stores.grid(use),
            "bits": use.source.bits,
            "symmetric": use.source.symmetric,
            "dense": use.source.estimator.is_dense,
            "low": use.source.predictor.end(0),
            "high": use.source.predictor.end(1),
        }
        for use in uses.values()
        if isinstance(use.source, PredictedGrid) and use.source.predictor.position == value
    ]
    time = stores.time
    remember = bool(time and watched.residual and (kind == "key" or time.recurrent))
    features = watched.key if kind == "key" else watched.residual
    return {
        "value": value,
        "features": list(features),
        "steps": sample_steps(shape),
        "remember": remember,
        "grids": grids,
    }
