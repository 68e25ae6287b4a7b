"""Where a frame's time goes by operator of the engine, and how far each is from what the machine could do.

A session runs a frame's operators one at a time, so that each is timed as it runs in a frame: what it reads
was just written. An operator's limit is the longer of two times: of its products at the CPU's ceiling, and
of copying as many bytes as it reads and writes. Caches keep some of those from one operator to the next,
so that one may beat its limit.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.bench.limits import Limits
from videoquant.runtime.plan import Plan
from videoquant.runtime.program import Combine, Op, Slot, StoreResidual
from videoquant.runtime.session import open_session
from videoquant.stopwatch import WARM_UP, settle, timed

PROGRAM = "key"
BYTES = {"f32": 4, "u8": 1, "sparse": 0}  # of an element; S has few


@dataclass(frozen=True)
class OperatorTime:
    """An operator, or a convolution with the pool that runs within it.

    kind: "conv", "resize", …
    ms: of a frame's; the median over frames.
    share: of the sum over operators.
    macs: multiply–accumulates, in int8.
    bytes: read and written: values and weights, each once.
    arithmetic_ms, memory_ms: how long each takes at least.
    """

    name: str
    kind: str
    ms: float
    share: float
    macs: int
    bytes: int
    arithmetic_ms: float
    memory_ms: float

    @property
    def limit_ms(self) -> float:
        return max(self.arithmetic_ms, self.memory_ms)

    @property
    def bound(self) -> str:
        """What its limit is: "arithmetic" or "memory"."""
        return "arithmetic" if self.arithmetic_ms >= self.memory_ms else "memory"


@dataclass(frozen=True)
class Profile:
    """ms: the median of a whole frame, by the same session. operators: in the order in which they run."""

    ms: float
    operators: list[OperatorTime]


def profile(plan: Plan, inputs: Iterable[NDArray[np.float32]], threads: int, limits: Limits) -> Profile:
    """Time a plan's operators. inputs: frames h×w×c; the first `WARM_UP` do not count."""
    session = open_session(plan, "frame", threads)
    ops = plan.programs[PROGRAM].ops
    parts = _parts(len(ops), session.joined(PROGRAM))
    whole: list[float] = []
    taken: list[list[float]] = [[] for _ in parts]
    for number, x in enumerate(inputs):
        settle()
        ms = timed(partial(session.run, PROGRAM, x))[1]
        each = [timed(partial(session.run, PROGRAM, x, None, part.start, part.stop))[1] for part in parts]
        if number >= WARM_UP:
            whole.append(ms)
            for times, one in zip(taken, each, strict=True):
                times.append(one)
    medians = [statistics.median(times) for times in taken]
    macs = [layer[1] for layer in session.layers(PROGRAM)]
    rows = [
        _row(plan.slots, [ops[i] for i in part], ms, ms / sum(medians), sum(macs[i] for i in part), limits)
        for part, ms in zip(parts, medians, strict=True)
    ]
    return Profile(statistics.median(whole), rows)


def _parts(count: int, joined: Sequence[int]) -> list[range]:
    """The operators that are timed together: each alone, but for those behind which a program cannot stop."""
    starts = [i for i in range(count) if i - 1 not in joined]
    return [range(start, end) for start, end in zip(starts, [*starts[1:], count], strict=True)]


def _row(
    slots: Sequence[Slot], ops: Sequence[Op], ms: float, share: float, macs: int, limits: Limits
) -> OperatorTime:
    size = sum(moved_bytes(op, slots) for op in ops)
    times = limits.arithmetic_ms(macs), limits.memory_ms(size)
    return OperatorTime(ops[0].name, "+".join(op.kind for op in ops), ms, share, macs, size, *times)


def moved_bytes(op: Op, slots: Sequence[Slot]) -> int:
    """What an operator reads and writes: its inputs, operands, weights, and what its steps store."""
    used = list(op.inputs)
    for step in op.steps:
        if not isinstance(step, Combine):
            used += [slot for slot in (getattr(step, "slot", None),) if slot is not None]
        elif step.slot is not None:
            used.append(step.slot)
        if isinstance(step, StoreResidual):
            used.append(step.reference)
    tensors: dict[str, Any] = op.tensors
    values = sum(slots[i].elements * BYTES[slots[i].type] for i in used)
    return values + sum(np.asarray(tensor).nbytes for tensor in tensors.values())
