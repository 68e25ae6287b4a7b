"""A plan beside the simulation it was lowered from, value by value: where do the two differ?

The plan runs in a stream as users have it, on a session that keeps a copy of what every operator stores
(`Recorder`). The simulation says what should be there. Most operators compute the same in both, rounding for
rounding. Free to round otherwise is only what no definition fixes: sums of floating-point numbers, which each
adds in an order of its own, and the exponential and its like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.engine.elementwise import FREE_FUNCTIONS
from videoquant.engine.layout import Layout, in_memory
from videoquant.engine.operators import FREE_KINDS
from videoquant.engine.split import split
from videoquant.engine.tables import frame_label
from videoquant.network.graph import Node
from videoquant.quantizers.on_grid import codes as quantize
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.ranges.features import sample_steps
from videoquant.ranges.grid import Grid
from videoquant.ranges.predictor import Features
from videoquant.ranges.sources import RangeSource
from videoquant.runtime.flow import read_by, stored_by
from videoquant.runtime.plan import Plan
from videoquant.runtime.program import Combine, Function, Op, Slot, StoreValues
from videoquant.runtime.session import Measure, Session, open_session
from videoquant.runtime.stream import Stream
from videoquant.simulate.activations import as_array
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.simulate.quantized_tensor import QuantizedTensor, Represented
from videoquant.simulate.step import State


@dataclass(frozen=True)
class Difference:
    """What one operator stored in one slot, where that is not what the simulation has.

    frame: the number of the frame, from 0.
    op: the operator.
    slot: where it stored the values.
    may_round: whether the operator is free to round otherwise.
    place: (row, column, channel) of the first value that differs.
    engine, simulation: the two values there; of codes both are whole numbers.
    count: how many differ.
    largest: the largest difference: in steps where `in_steps`, or as a share of the tensor's largest value.
    in_steps: of codes, and of values that stand on a grid (an x̂ that is kept as reference).
    grid: of codes, the simulation's in this frame; a signed grid's codes have 128 added in a plan.
    """

    frame: int
    op: Op
    slot: Slot
    may_round: bool
    place: tuple[int, int, int]
    engine: float
    simulation: float
    count: int
    largest: float
    in_steps: bool
    grid: Grid | None = None


@dataclass(frozen=True)
class Comparison:
    """One frame through both.

    outputs: of the simulation, by name.
    engine_outputs: of the engine, by name.
    differences: where they differ, in the order in which operators run.
    """

    outputs: dict[str, Tensor]
    engine_outputs: dict[str, Tensor]
    differences: list[Difference]


class Lockstep:
    """Runs frames through both.

    plan: of `quantized`, as `lower` gives it.
    session: makes what runs the plan; default the native engine on one thread.
    forced: operators and range updates read what the simulation gave in place of what is there, so that what
        differs is that operator's doing: a deep network amplifies one code that was rounded the other way.
    compared: how many codes and float32 values were, by "codes" and "values".
    stream, simulation: the two streams.
    """

    def __init__(
        self,
        quantized: QuantizedNetwork,
        plan: Plan,
        session: Callable[[Plan], Session] = lambda plan: open_session(plan, threads=1),
        forced: bool = False,
    ) -> None:
        self.quantized, self.plan, self.forced = quantized, plan, forced
        self.compared: Counter[str] = Counter()
        self.simulation, self._frame = quantized.stream(), -1
        self._recorder = Recorder(plan, session(plan))
        self.stream = Stream(plan, cast(Session, self._recorder))
        self._body = split(quantized.network)

    def run(self, frame: Any) -> Comparison:
        """One frame through both."""
        self._frame += 1
        codes: dict[str, NDArray[Any]] = {}
        values: dict[str, NDArray[Any]] = {}
        grids: dict[str, Grid] = {}
        state = self.simulation.state

        def probe(point: QuantizationPoint, x: Tensor, source: RangeSource, seen: Features) -> None:
            grid = source.grid(lambda: as_array(x), seen)
            if grid is not None:
                own = self.quantized.grids[point]
                name = frame_label(str(point)) if own.of_frame and source is own.residual else str(point)
                grids[name] = grid
                steps = (quantize(x, grid) + (128 if grid.low < 0 else 0)).to(torch.uint8)
                codes[name] = _pixels(steps, self._read(point))

        def observe(node: Node, y: Tensor) -> None:
            layout = self._body.layouts.get(node.name)
            if layout is not None:
                values.setdefault(self._body.value(node.name), _pixels(y, layout))
            for slot, (value, arranged) in self._body.arranged.items():
                if value == node.name:
                    values[slot] = _pixels(y, arranged)

        wanted = self.simulation.run(frame, observe, probe)
        if self.simulation.is_key:  # with regions, those outside are of an earlier keyframe
            codes |= {
                str(point): _pixels(_unsigned(x), self._read(point))
                for point, x in self.simulation.state.codes.items()
            }
        truth = self._by_slot(codes, values)
        self._recorder.truth = {}
        if self.forced:
            self._recorder.truth = truth if self.simulation.is_key else truth | self._kept(state)
        self._recorder.seen = {}
        got = self.stream.run(frame)
        expected = truth | self._kept(self.simulation.state)
        differences = [
            difference
            for index, (op, free, array) in self._recorder.seen.items()
            if index in expected and self.stream.work_share  # where no block is new, nothing is stored
            for difference in self._compare(op, index, free, array, expected[index], grids)
        ]
        return Comparison(wanted, got, differences)

    def _read(self, point: QuantizationPoint) -> Layout:
        """How layers read what stands at a point."""
        arranged = self._body.arranged.get(self._body.quantized(point.value))
        return self._body.layouts[point.value] if arranged is None else arranged[1]

    def _by_slot(
        self, codes: Mapping[str, NDArray[Any]], values: Mapping[str, NDArray[Any]]
    ) -> dict[int, NDArray[Any]]:
        """What is known of slots, by index, h×w×c."""
        found = {}
        watched = self.quantized.watched.items()
        samples = {self._body.value(value): spec.samples for value, spec in watched}
        for index, slot in enumerate(self.plan.slots):
            known = codes if slot.type == "u8" else values
            sampled = slot.name.removesuffix(" sample")
            if slot.name in known:
                found[index] = known[slot.name]
            elif slot.type == "f32" and sampled in values and sampled in samples:
                pixels = values[sampled]
                rows, columns, _ = sample_steps((1, pixels.shape[2], *pixels.shape[:2]), samples[sampled])
                found[index] = np.ascontiguousarray(pixels[::rows, ::columns])
        return found

    def _kept(self, state: State) -> dict[int, NDArray[Any]]:
        """What the simulation remembers from frame to frame, by the plan's slots."""
        kept = {f"{point} reference": _pixels(x, self._read(point)) for point, x in state.reference.items()}
        layouts = self._body.layouts
        kept |= {f"{layer} output": _pixels(y, layouts[layer]) for layer, y in state.output.items()}
        kept |= {name: _pixels(y, layouts[name]) for name, y in state.carried.items()}
        return self._by_slot({}, kept)

    def _compare(
        self,
        op: Op,
        index: int,
        free: bool,
        got: NDArray[Any],
        wanted: NDArray[Any],
        grids: Mapping[str, Grid],
    ) -> Iterator[Difference]:
        slot = self.plan.slots[index]
        is_codes = slot.type == "u8"
        self.compared["codes" if is_codes else "values"] += wanted.size
        with np.errstate(invalid="ignore"):  # of infinities, which masks have
            difference = np.where(got == wanted, 0, np.abs(got.astype(np.float64) - wanted))
        if not difference.any():
            return
        row, column, channel = map(int, np.unravel_index(int(np.flatnonzero(difference)[0]), wanted.shape))
        in_steps, unit = is_codes, 1.0
        if not is_codes:
            finite = np.abs(wanted[np.isfinite(wanted)])
            unit = max(float(finite.max(initial=0)), 1e-30)
            kept = grids.get(slot.name.removesuffix(" reference").removesuffix(" values"))
            if kept is not None and any(isinstance(s, StoreValues) and s.slot == index for s in op.steps):
                in_steps, unit = True, kept.scale
        yield Difference(
            self._frame,
            op,
            slot,
            may_round=free,
            place=(row, column, channel),
            engine=float(got[row, column, channel]),
            simulation=float(wanted[row, column, channel]),
            count=int(np.count_nonzero(difference)),
            largest=float(difference.max()) / unit,
            in_steps=in_steps,
            grid=grids.get(slot.name) if is_codes else None,
        )


class Recorder:
    """A session that keeps a copy of what every operator stores; in all else it is the one it is made of.

    truth: by slot, what operators and range updates read in place of what is there.
    seen: by slot, the operator, whether it is free to round otherwise, and what it stored, h×w×c.
    """

    def __init__(self, plan: Plan, session: Session) -> None:
        self.plan, self.session = plan, session
        self.truth: dict[int, NDArray[Any]] = {}
        self.seen: dict[int, tuple[Op, bool, NDArray[Any]]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def run(self, program: str, input: NDArray[np.float32], measure: Measure | None = None) -> None:
        """As of a session, operator by operator."""
        ops, updates = self.plan.programs[program].ops, self.plan.programs[program].updates
        joined, first = self.session.joined(program), 0
        while first < len(ops):
            self._tell({update.slot for update in updates if update.before_op == first} | read_by(ops[first]))
            # A pool that is computed row by row behind its convolution: what lies between is stored nowhere.
            end = first + 2 if first in joined else first + 1
            self.session.run(program, input, measure, first, end)
            op = ops[end - 1]
            for index in stored_by(op):
                self.seen[index] = (op, may_round(op, index), np.array(self.session.slot(index)))
            first = end
        self._tell({update.slot for update in updates if update.before_op == first})
        self.session.run(program, input, measure, first, first)  # the updates behind the last

    def _tell(self, slots: set[int]) -> None:
        for index in slots - {0}:
            if index in self.truth:
                self.session.slot(index)[:] = self.truth[index]


def may_round(op: Op, slot: int | None = None) -> bool:
    """Whether what an operator stores in a slot is defined only to within rounding; None: in any slot."""
    free = op.kind in FREE_KINDS or (op.kind == "resize" and op.attrs["mode"] == "bilinear")
    free = free or (op.sparse is not None and op.kind != "dequantize")
    for step in op.steps:
        if isinstance(step, Function | Combine):
            free = free or step.do in FREE_FUNCTIONS
        elif step.slot == slot:
            return free
    return free


def _unsigned(x: Represented) -> Tensor:
    """The codes of what layers read, as slots have them."""
    assert isinstance(x, QuantizedTensor)
    return (x.steps + x.grid.zero_point + (128 if x.grid.low < 0 else 0)).to(torch.uint8)


def _pixels(y: Tensor, layout: Layout) -> NDArray[Any]:
    """A value of the network as a slot has it: h×w×c, a copy."""
    return in_memory(y.detach().numpy(), layout).copy()
