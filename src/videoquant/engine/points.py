"""How each quantizer point is met in the frames of one kind: what it gives, and when its grid is known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from videoquant.axes import Residual
from videoquant.engine.body import Body
from videoquant.engine.fusion import Group
from videoquant.engine.tables import Grids, Slots
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.quantizers.weights import WeightCodes
from videoquant.ranges.grid import Grid
from videoquant.runtime.sizes import Size
from videoquant.simulate.activations import ActivationGrid, DynamicGrid, PredictedGrid, StaticGrid
from videoquant.simulate.quantized import QuantizedNetwork

FrameKind = Literal["key", "residual"]


@dataclass(frozen=True)
class Use:
    """A quantizer point in the frames of one kind.

    value: what stands at it, by the body's name. source: where its grid comes from.
    late: the codes cannot be stored by the program that computes the value, since the grid is not known by
        then: an operator of their own makes them before the first layer that reads them.
    integers, floats: whether layers read its codes; whether layers with float weights read their values.
    """

    point: QuantizationPoint
    value: str
    source: ActivationGrid
    late: bool
    integers: bool
    floats: bool

    @property
    def quantized(self) -> bool:
        """Whether the point has a grid in these frames: 32 bits have none."""
        return isinstance(self.source, StaticGrid | DynamicGrid | PredictedGrid)

    @property
    def grid(self) -> Grid:
        """The grid of a static point; for others one with as many codes, until theirs is known."""
        match self.source:
            case StaticGrid(fixed):
                return fixed
            case PredictedGrid(predictor, estimator, bits, symmetric):
                return estimator.grid(predictor.average, bits, symmetric)
            case DynamicGrid(estimator, bits, symmetric):
                return estimator.grid((-1.0, 1.0), bits, symmetric)
        raise AssertionError(f"{self.point} has no grid")


def uses(
    quantized: QuantizedNetwork, body: Body, groups: Sequence[Group], kind: FrameKind, early: Collection[str]
) -> list[Use]:
    """Every quantizer point, in the order of the first layers that read them.

    early: the values whose features are known before the group runs that computes them (`samples.py`).
    """
    made = made_by(groups)
    found = []
    for point in dict.fromkeys(quantized.points.values()):
        grids = quantized.grids[point]
        source = grids.key if kind == "key" else grids.residual
        assert source is not None
        readers = [name for name, at in quantized.points.items() if at == point]
        integer = [layer_weights(quantized, name, kind) is not None for name in readers]
        value = body.value(point.value)
        match source:
            case StaticGrid():
                late = False
            case PredictedGrid(predictor):
                position = body.value(predictor.position)
                first = made[position] + (position not in early)
                late = made[value] < first
            case DynamicGrid():
                late = True
            case _:  # a residual in floating point takes an operator that subtracts
                late = kind == "residual"
        quantizes = isinstance(source, StaticGrid | DynamicGrid | PredictedGrid)
        found.append(
            Use(point, value, source, late, quantizes and any(integer), not quantizes or not all(integer))
        )
    return found


class Stores:
    """What programs store at quantizer points, and where.

    size: of every value. time: the time axis, where there is one. kind: of the frames. dense_sparse: whether
    x̂ is Dense + Sparse.
    """

    def __init__(
        self,
        slots: Slots,
        grids: Grids,
        sizes: dict[str, Size],
        time: Residual | None,
        kind: FrameKind,
        dense_sparse: bool,
    ) -> None:
        self.slots, self.grids, self.sizes, self.time, self.kind = slots, grids, sizes, time, kind
        self.dense_sparse = dense_sparse

    def grid(self, use: Use) -> int:
        return self.grids.get(f"{use.point} {self.kind}", use.grid)

    def codes(self, use: Use) -> int:
        """The codes that integer layers read."""
        return self.slots.get("codes", str(use.point), self.sizes[use.value], "u8")

    def sparse(self, use: Use) -> dict[str, int]:
        """Where S goes beside the codes, and where their readers find it: an entry of both, or none."""
        if not self.dense_sparse:
            return {}
        return {"sparse": self.slots.get("sparse", str(use.point), self.sizes[use.value], "sparse")}

    def values(self, use: Use) -> int:
        """The float32 values that layers with float weights read: x̂, or the residual."""
        return self.slots.get("values", str(use.point), self.sizes[use.value])

    def reference(self, use: Use) -> int:
        """The value that residuals are taken from; it stays from frame to frame."""
        return self.slots.get("reference", str(use.point), self.sizes[use.value], keep=True)

    def steps(self, use: Use) -> list[dict[str, Any]]:
        """What happens to the value at a point. Only where a residual has no grid is it changed by that."""
        reference = self.reference(use) if self.time else None
        if self.kind == "residual":
            assert self.time is not None
            if use.quantized:
                store = {"slot": self.codes(use), "grid": self.grid(use), "reference": reference}
                sparse = self.sparse(use)
                return [{"do": "store_residual", **store, **sparse, "update": self.time.recurrent}]
            steps: list[dict[str, Any]] = [
                {"do": "sub", "slot": reference},
                {"do": "store", "slot": self.values(use)},
            ]
            if self.time.recurrent:
                steps += [{"do": "add", "slot": reference}, {"do": "store", "slot": reference}]
            return steps
        if not use.quantized:
            return [{"do": "store", "slot": reference}] if self.time else []
        grid = self.grid(use)
        values = {"do": "store_values", "grid": grid} | ({"with_sparse": True} if self.dense_sparse else {})
        steps = []
        if use.integers or self.dense_sparse:  # S is counted where no layer reads it too
            steps.append({"do": "store_codes", "slot": self.codes(use), "grid": grid, **self.sparse(use)})
        if use.floats:
            steps.append({**values, "slot": self.values(use)})
        if self.time and self.time.quantized_reference:
            steps.append({**values, "slot": reference})
        elif self.time:
            steps.append({"do": "store", "slot": reference})
        return steps


def layer_weights(quantized: QuantizedNetwork, layer: str, kind: FrameKind) -> WeightCodes | None:
    """The codes of a layer's weights in these frames; None where they stay in floating point."""
    weights = quantized.weights[layer]
    return weights.key if kind == "key" else weights.residual


def made_by(groups: Sequence[Group]) -> dict[str, int]:
    """The index of the group that computes each value; the first group has the network's input."""
    made: dict[str, int] = {}
    for index, group in enumerate(groups):
        for value in group.values:
            made.setdefault(value, index)
    return made


def residual_time(quantized: QuantizedNetwork) -> Residual | None:
    """The time axis, where there are residual frames at all."""
    time = quantized.scheme.time
    return time if isinstance(time, Residual) and time.period > 1 else None
