"""What a plan is made of: tensors, grids, programs of operators. What each kind means is in docs/plan.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# An operator's or a function's parameter. Which names a kind has is the table of docs/plan.md, and the native
# engine checks them; a class for each kind would say the same a third time.
Attribute = bool | int | float | str | Sequence[int] | NDArray[np.float32]


@dataclass(frozen=True)
class Slot:
    """A tensor h×w×c of a stream; slot 0 is the network's input.

    name: of the value, or of the quantization point (`str(point)`) whose codes it holds.
    h, w, c: rows, columns, channels.
    type: "f32" values; "u8" codes; "sparse" the part S of Dense + Sparse.
    keep: whether it is state, which lives from frame to frame; others may share memory.
    residual: whether it holds a residual, which is 0 outside a stream's region.
    """

    name: str
    h: int
    w: int
    c: int
    type: Literal["f32", "u8", "sparse"] = "f32"
    keep: bool = False
    residual: bool = False

    @property
    def elements(self) -> int:
        """h · w · c."""
        return self.h * self.w * self.c


@dataclass(frozen=True)
class CodeGrid:
    """q = clip(round(x / scale) + zero, low, high), unsigned: those of signed grids have 128 added.

    name: of the quantization point and the kind of frame, "relu:a8 key".
    scale: a float32 value.
    zero: the code of 0.
    low, high: the first and the last code, 0 to 255.

    Where a range update sets the grid this is what it is until then.
    """

    name: str
    scale: float
    zero: int
    low: int
    high: int


# The steps of an operator's program. Each works on the operator's float32 value, in place, in order.


@dataclass(frozen=True, eq=False)
class Function:
    """An elementwise function: "clamp", "sigmoid", … attrs: its parameters."""

    do: str
    attrs: dict[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True)
class Combine:
    """An operation with a second operand, of `plan_spec.COMBINATIONS`; of those with an r it comes first.

    slot: of the operand, f32.
    value: the operand where it is a number.

    One of the two is None.
    """

    do: str
    slot: int | None = None
    value: float | None = None


@dataclass(frozen=True)
class Store:
    """Store the float32 value, which the program goes on with."""

    slot: int


@dataclass(frozen=True)
class StoreCodes:
    """Store the value's codes. sparse: where S goes with Dense + Sparse."""

    slot: int
    grid: int
    sparse: int | None = None


@dataclass(frozen=True)
class StoreValues:
    """Store the float32 values that the codes stand for. with_sparse: S is added."""

    slot: int
    grid: int
    with_sparse: bool = False


@dataclass(frozen=True)
class StoreResidual:
    """Store the codes of value − reference.

    reference: the slot that it is taken from.
    update: whether what the codes stand for is added to that (recurrent schemes).
    sparse: where S goes with Dense + Sparse.
    """

    slot: int
    grid: int
    reference: int
    update: bool
    sparse: int | None = None


StoreStep = Store | StoreCodes | StoreValues | StoreResidual
Step = Function | Combine | StoreStep


@dataclass(frozen=True, eq=False)
class Op:
    """An operator and the program of its value.

    kind: "conv", "map", "resize", …
    name: of the network's node, or of the quantization point it is for.
    inputs: the slots it reads.
    h, w, c: the size of what it gives.
    steps: what happens to each value before the next is computed.
    grid: of the u8 input, where there is one.
    sparse: the slot of S that a layer reads beside its codes.
    attrs, tensors: the kind's parameters, and arrays such as "weight".
    placeless: whether its pixels do not lie where the input's do, so that streams with regions compute all of
        them (`regions.places`); None where that is not known, in files of versions 1 and 2.
    """

    kind: str
    name: str
    inputs: tuple[int, ...]
    h: int
    w: int
    c: int
    steps: tuple[Step, ...] = ()
    grid: int | None = None
    sparse: int | None = None
    attrs: dict[str, Attribute] = field(default_factory=dict)
    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)
    placeless: bool | None = None


@dataclass(frozen=True)
class MeasuredRange:
    """A range update of what is measured on a value, such as dynamic ranges: it sets a grid.

    before_op: the operator that it comes before.
    slot: of the value or the residual that is measured.
    grid: which is set.
    bits, symmetric: what it is like.
    source: the JSON of what measures it (`ranges.sources`), with the scheme's estimator.
    """

    before_op: int
    slot: int
    grid: int
    bits: int
    symmetric: bool
    source: Any = "dynamic"


# One end of a predicted range: (slopes, intercept, least, most) is intercept + Σ slope · feature, clamped.
LinearEnd = tuple[tuple[float, ...], float, float, float]


@dataclass(frozen=True)
class GridPrediction:
    """How one grid is predicted. grid: which. bits, symmetric: what it is like. low, high: its range.

    dense: it is the dense part of Dense + Sparse, whose last cell ends where the range does.
    """

    grid: int
    bits: int
    symmetric: bool
    dense: bool
    low: LinearEnd
    high: LinearEnd


@dataclass(frozen=True)
class PredictedRanges:
    """A range update of predicted ranges: the features of a value set every grid that is predicted from them.

    before_op: the operator that it comes before.
    slot: of the value, or of the sample of it that is taken.
    value: its name.
    features: theirs.
    steps: every a-th row, b-th column and c-th element is looked at.
    grids: those that are predicted. In residual programs, from the value's difference from that of the
        reference frame.
    remember: whether this frame becomes the reference frame.
    """

    before_op: int
    slot: int
    value: str
    features: tuple[str, ...]
    steps: tuple[int, int, int]
    grids: tuple[GridPrediction, ...]
    remember: bool


RangeUpdate = MeasuredRange | PredictedRanges


@dataclass(frozen=True, eq=False)
class Program:
    """The operators of one kind of frame, in order, and the range updates between them, in order too."""

    ops: tuple[Op, ...]
    updates: tuple[RangeUpdate, ...] = ()


@dataclass(frozen=True)
class ProgramOutput:
    """A value that programs give.

    slot: where.
    shape: as the network has it.
    order: its dimensions as the slot has them, the last one fastest; None for 1×C×H×W and 1×C, whose channels
        come last.
    """

    slot: int
    shape: tuple[int, ...]
    order: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class PostprocessNode:
    """A node of the network that runs on the programs' outputs (`postprocess.py`).

    name: of the value it gives.
    op: of `runtime.operators.OPERATORS`.
    inputs: the values it reads, by name.
    attributes: JSON values, the operator's keyword arguments.
    tensors: its arrays, float32.
    placeless: as an operator's.
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    placeless: bool | None = None
