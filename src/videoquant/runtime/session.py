"""What runs a plan: the native engine's session, and what a `Stream` needs of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from videoquant import _native
from videoquant.axes import DenseSparse
from videoquant.errors import NetworkError, SchemeError, refused_as
from videoquant.limits import check_size
from videoquant.ranges.sources import Static
from videoquant.runtime.flow import states_of
from videoquant.runtime.plan import Plan
from videoquant.schemes import Scheme

MODES = ("frame", "exact", "regions")

# For one of a program's updates, by its number, and a value h×w×c: the scale, zero, low and high of its grid.
Measure = Callable[[int, NDArray[np.float32]], tuple[float, int, int, int]]


class Session(Protocol):
    """The memory of one stream, and the programs that run in it.

    work: multiply–accumulates of the last frame: those done, and those of a dense frame.
    memory_bytes: what it holds, without the plan's weights.
    """

    @property
    def work(self) -> tuple[int, int]: ...

    @property
    def memory_bytes(self) -> int: ...

    def run(
        self,
        program: str,
        input: NDArray[np.float32],
        measure: Measure | None = None,
        first: int = 0,
        last: int = -1,
    ) -> None:
        """Run a program with its range updates. input: h×w×c, in C order.

        first, last: operators first … last − 1 alone, and the updates before them; −1 is to its end.
        """

    def layers(self, program: str) -> list[tuple[str, int, int, str]]:
        """Of the last frame, by operator: name, MACs of all of it, MACs done, how."""

    def joined(self, program: str) -> list[int]:
        """The convolutions behind which a program cannot stop, since the pool that follows runs with them."""

    def always_follow(self) -> None:
        """Follow changes even where that costs more than it saves; else such frames are computed in full."""

    def finite(self, input: NDArray[np.float32]) -> bool:
        """Whether an input h×w×c holds neither NaN nor infinity."""

    def slot(self, index: int) -> NDArray[Any]:
        """A slot's memory, h×w×c; what is in it until the next run."""

    def sparse(self, index: int) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.float32]]:
        """A sparse slot's elements: where a pixel's begin (h · w + 1), channels, and values."""

    def refresh(self) -> None:
        """Compute the next frame in full."""

    def forget(self) -> None:
        """The next frame is the first of a video: what slots keep becomes 0."""

    def look(self, blocks: NDArray[np.uint8], block: int, grow: int, whole: bool, moving: bool) -> None:
        """In mode regions: what the next frame computes anew. The parts of a `Region`, and its growth."""

    def take_picture(
        self, picture: NDArray[np.uint8], gain: Sequence[float], offset: Sequence[float]
    ) -> None:
        """In mode regions: take the region's pixels of the input, bytes · gain + offset.

        The frame then runs on slot 0.
        """

    def moved(self, index: int) -> NDArray[np.uint16] | None:
        """Of the last frame, h×w: how many groups of 4 channels of a slot changed; None: all may have."""


def open_session(
    plan: Plan,
    mode: str | None = None,
    threads: int = 2,
    isa: str = "",
) -> Session:
    """A session of the native engine.

    mode: "frame" computes all of every frame, "exact" only what changed, "regions" what a gate at the
        input says. None: "regions" where the scheme has them, else "frame".
    threads: 1 to 1024. Results do not depend on it.
    isa: the instruction set, one of `videoquant._native.isas()`; "" is the best of this CPU.
    Raises `SchemeError` for a mode that is unknown or does not fit the plan, and where there is not enough
    memory; `NetworkError` where the values take more than `limits` allows.
    """
    mode = mode or default_mode(plan)
    check_mode(plan, mode)
    native = plan.native
    with refused_as(SchemeError, f"{plan.name}: no stream in mode {mode}"):
        return _native.Session(native, isa, threads, mode, check=partial(_check_values, plan.name))


def _check_values(name: str, size: float) -> None:
    check_size(size, f"{name}: a stream's values", NetworkError)


def default_mode(plan: Plan) -> str:
    """The mode of streams that name none."""
    return "frame" if plan.scheme.regions is None else "regions"


def modes_of(scheme: Scheme) -> tuple[str, ...]:
    """The modes that a scheme runs in."""
    if scheme.regions is not None:
        return ("regions",)
    modes = ("frame",) if frame_only(scheme) else ("frame", "exact")
    return (*modes, "regions") if isinstance(scheme.ranges, Static) else modes


def check_mode(plan: Plan, mode: str) -> None:
    """Raise `SchemeError` for a mode that is unknown or does not fit the plan."""
    if mode not in MODES:
        raise SchemeError(f"mode={mode!r}: it must be frame, exact or regions")
    if mode == "regions":
        return _check_regions(plan)
    if plan.scheme.regions is not None:
        raise SchemeError(f"mode={mode}: {plan.scheme} has regions, and runs in mode regions only")
    kind = frame_only(plan.scheme)
    if mode != "frame" and kind:
        raise SchemeError(f"mode={mode}: {plan.scheme} is {kind}, which runs in modes frame and regions only")


def _check_regions(plan: Plan) -> None:
    programs = plan.programs.values()
    if any(program.updates for program in programs):
        raise SchemeError(
            f"mode=regions: {plan.scheme} has ranges that change; what is held needs static ones"
        )
    if states_of(plan):
        raise SchemeError(f"mode=regions: {plan.name} has states, which regions do not hold")
    if any(op.placeless is None for program in programs for op in program.ops):
        raise SchemeError(
            f"mode=regions: the plan of {plan.name} is of an older release, which does not say what "
            "lies where in the picture; lower the network again"
        )


def frame_only(scheme: Scheme) -> str:
    """Why a scheme does not run in mode exact: "a residual scheme" or "Dense + Sparse"; or "".

    It follows changes of codes. The codes of a residual scheme are changes already; and with
    Dense + Sparse equal codes do not mean equal values, since values outside the grid are kept beside them.
    """
    if scheme.period > 1:
        return "a residual scheme"
    return "Dense + Sparse" if isinstance(scheme.representation, DenseSparse) else ""
