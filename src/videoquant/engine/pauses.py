"""Where a program stops for ranges that are known only at run time; `ranges.py` has what happens there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from videoquant.engine.points import FrameKind, Stores, Use
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.simulate.activations import DynamicGrid, PredictedGrid
from videoquant.simulate.parameters import FeatureSpec


def measure(use: Use, grid: int, slot: int, shape: tuple[int, ...]) -> dict[str, Any]:
    """Measure the value in a slot, whose shape in the network is `shape`, and set a grid to its range."""
    assert isinstance(use.source, DynamicGrid)
    return {
        "slot": slot,
        "shape": shape,
        "grid": grid,
        "bits": use.source.bits,
        "symmetric": use.source.symmetric,
    }


def predict(
    value: str,
    slot: int,
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
            "predictor": asdict(use.source.predictor),
        }
        for use in uses.values()
        if isinstance(use.source, PredictedGrid) and use.source.predictor.position == value
    ]
    time = stores.time
    remember = bool(time and watched.residual and (kind == "key" or time.recurrent))
    features = watched.key if kind == "key" else watched.residual
    return {
        "value": value,
        "slot": slot,
        "shape": shape,
        "features": list(features),
        "remember": remember,
        "grids": grids,
    }
