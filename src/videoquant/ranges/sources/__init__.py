"""Where a quantizer's grid comes from, one file each. A new one is a file here and its lines below."""

from __future__ import annotations

from typing import Any

from videoquant.ranges.estimators.base import Estimator
from videoquant.ranges.sources.base import Known, RangeAxis, RangeSource, Value
from videoquant.ranges.sources.dynamic import Dynamic, DynamicGrid
from videoquant.ranges.sources.predicted import Predicted, PredictedGrid
from videoquant.ranges.sources.static import Static, StaticGrid
from videoquant.ranges.sources.unquantized import Unquantized

# What a scheme can ask for, by its word. The first is the default.
RANGES: tuple[type[RangeAxis], ...] = (Static, Dynamic, Predicted)
# What a file can hold. The static grid is last: it takes whatever is left, and refuses it.
SOURCES: tuple[type[RangeSource], ...] = (Unquantized, DynamicGrid, PredictedGrid, StaticGrid)


def source_from_json(stored: Any, estimator: Estimator, bits: int, symmetric: bool, what: str) -> RangeSource:
    """The source that `RangeSource.to_json` wrote. Raises `NetworkError`; see `RangeSource.from_json`."""
    found = (kind.from_json(stored, estimator, bits, symmetric, what) for kind in SOURCES)
    return next(source for source in found if source is not None)


__all__ = [
    "RANGES",
    "SOURCES",
    "Dynamic",
    "DynamicGrid",
    "Known",
    "Predicted",
    "PredictedGrid",
    "RangeAxis",
    "RangeSource",
    "Static",
    "StaticGrid",
    "Unquantized",
    "Value",
    "source_from_json",
]
