"""Quantization points in one kind of frame: when each one's grid is known, what programs store there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from videoquant.axes import Residual
from videoquant.engine.body import Body
from videoquant.engine.fusion import Group
from videoquant.engine.tables import Grids, Slots
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.quantizers.weights import WeightCodes
from videoquant.ranges.grid import Grid
from videoquant.ranges.sources import RangeSource
from videoquant.runtime.program import (
    Combine,
    Step,
    Store,
    StoreCodes,
    StoreResidual,
    StoreValues,
)
from videoquant.runtime.sizes import Size
from videoquant.simulate.quantized import QuantizedNetwork

FrameKind = Literal["key", "residual"]


@dataclass(frozen=True)
class LoweredQuantizer:
    """A quantization point in the frames of one kind.

    value: what stands at it, by the body's name. source: where its grid comes from.
    late: the codes cannot be stored by the program that computes the value, since the grid is not known by
        then: an operator of their own makes them before the first layer that reads them.
    integers, floats: whether layers read its codes; whether layers with float weights read their values.
    of_frame: in residual frames, whether the frame's own codes stand there (`PointGrids.of_frame`).
    is_reference: in keyframes, whether residual frames take differences from the value.
    """

    point: QuantizationPoint
    value: str
    source: RangeSource
    late: bool
    integers: bool
    floats: bool
    of_frame: bool
    is_reference: bool

    def bits(self, kind: FrameKind) -> int:
        """The bits of its codes, on frames of the kind that it was made for."""
        bits = self.point.key if kind == "key" else self.point.residual
        assert bits is not None
        return bits

    @property
    def quantized(self) -> bool:
        """Whether the point has a grid in these frames: 32 bits have none."""
        return self.source.first_grid is not None

    @property
    def grid(self) -> Grid:
        """The grid of a static point; for others one with as many codes, until theirs is known."""
        grid = self.source.first_grid
        assert grid is not None, f"{self.point} has no grid"
        return grid


def lower_quantizers(
    quantized: QuantizedNetwork, body: Body, groups: Sequence[Group], kind: FrameKind, early: Collection[str]
) -> list[LoweredQuantizer]:
    """Every quantization point, in the order of the first layers that read them.

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
        value = body.quantized(point.value)
        quantizes = source.first_grid is not None
        if source.predictor is not None:
            position = body.value(source.predictor.position)
            first = made[position] + (position not in early)
            late = made[value] < first
        else:  # a residual in floating point takes an operator that subtracts
            late = source.known == "value" or (kind == "residual" and not quantizes)
        integers, floats = quantizes and any(integer), not quantizes or not all(integer)
        of_frame = grids.of_frame and kind == "residual"
        found.append(
            LoweredQuantizer(point, value, source, late, integers, floats, of_frame, not grids.of_frame)
        )
    return found


class QuantizerEmitter:
    """What programs store at quantization points, and where.

    size: of every value.
    time: the time axis, where there is one.
    kind: of the frames.
    dense_sparse: whether x̂ is Dense + Sparse.
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

    def grid(self, quantizer: LoweredQuantizer) -> int:
        return self.grids.get(f"{quantizer.point} {self.kind}", quantizer.grid)

    def codes(self, quantizer: LoweredQuantizer) -> int:
        """The codes that integer layers read."""
        return self._read_by_layers("codes", quantizer, "u8")

    def sparse(self, quantizer: LoweredQuantizer) -> int | None:
        """Where S goes beside the codes, and where their readers find it; None without Dense + Sparse."""
        if not self.dense_sparse:
            return None
        return self._read_by_layers("sparse", quantizer, "sparse")

    def values(self, quantizer: LoweredQuantizer) -> int:
        """The float32 values that layers with float weights read: x̂, or the residual."""
        return self._read_by_layers("values", quantizer)

    def _read_by_layers(
        self, role: str, quantizer: LoweredQuantizer, type: Literal["f32", "u8", "sparse"] = "f32"
    ) -> int:
        """What layers read on residual frames has slots of its own: regions keep what each kind left."""
        residual = self.kind == "residual" and not quantizer.of_frame
        prefix = "residual " if residual else "frame " if quantizer.of_frame else ""
        size = self.sizes[quantizer.value]
        return self.slots.get(prefix + role, str(quantizer.point), size, type, residual=residual)

    def reference(self, quantizer: LoweredQuantizer) -> int:
        """The value that residuals are taken from; it stays from frame to frame."""
        return self.slots.get("reference", str(quantizer.point), self.sizes[quantizer.value], keep=True)

    def steps(self, quantizer: LoweredQuantizer) -> list[Step]:
        """What happens to the value at a point. Only where a residual has no grid is it changed by that."""
        if self.time is None or quantizer.of_frame:
            return self._codes(quantizer)
        if self.kind == "key":
            codes, new = self._codes(quantizer), quantizer.is_reference
            return [*codes, self._new_reference(quantizer, self.reference(quantizer))] if new else codes
        reference = self.reference(quantizer)
        update = self.time.recurrent
        if quantizer.quantized:
            slots = self.codes(quantizer), self.grid(quantizer), reference
            return [StoreResidual(*slots, update, self.sparse(quantizer))]
        steps: list[Step] = [Combine("sub", reference), Store(self.values(quantizer))]
        return [*steps, Combine("add", reference), Store(reference)] if update else steps

    def _codes(self, quantizer: LoweredQuantizer) -> list[Step]:
        """What layers read at a point where no residual is taken."""
        steps: list[Step] = []
        if quantizer.integers or (
            quantizer.quantized and self.dense_sparse
        ):  # S is counted though no layer reads it
            slots = self.codes(quantizer), self.grid(quantizer)
            steps.append(StoreCodes(*slots, self.sparse(quantizer)))
        if quantizer.quantized and quantizer.floats:
            steps.append(StoreValues(self.values(quantizer), self.grid(quantizer), self.dense_sparse))
        return steps

    def _new_reference(self, quantizer: LoweredQuantizer, reference: int) -> Step:
        assert self.time is not None
        if quantizer.quantized and self.time.quantized_reference:
            return StoreValues(reference, self.grid(quantizer), self.dense_sparse)
        return Store(reference)


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
