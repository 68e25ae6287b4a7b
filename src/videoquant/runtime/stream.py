"""One video going through a plan. Called as `simulate.Stream` is; the work is done in integers."""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.axes import Regions
from videoquant.errors import DataError, SchemeError, refused_as
from videoquant.network.input_arrays import prepare
from videoquant.regions.region import Region
from videoquant.runtime import postprocess
from videoquant.runtime.changed import changed
from videoquant.runtime.clock import Clock, index_and_size
from videoquant.runtime.flow import states_of
from videoquant.runtime.outputs import for_user
from videoquant.runtime.plan import Plan
from videoquant.runtime.program import Program
from videoquant.runtime.ranges import measure_by
from videoquant.runtime.region_input import RegionInput, RegionState
from videoquant.runtime.report import FrameReport
from videoquant.runtime.session import Session, default_mode, open_session
from videoquant.runtime.sizes import channels_first, channels_last


def open_stream(
    plan: Plan,
    mode: str | None = None,
    threads: int = 2,
    refresh: int | None = None,
    isa: str = "",
    regions: Regions | None = None,
) -> Stream:
    """A new stream of frames; streams of a plan share its weights and no state.

    mode, threads, isa: see `open_session`. refresh: see `Stream`.
    regions: what the gate of mode "regions" goes by, and that mode; default are those of the scheme, or
        `Regions()`.
    Raises `SchemeError` where they do not fit the plan.
    """
    mode = mode or ("regions" if regions else default_mode(plan))
    if mode == "regions":
        regions = regions or plan.scheme.regions or Regions()
    elif regions is not None:
        raise SchemeError(f"mode={mode} takes no regions; mode regions does")
    return Stream(plan, open_session(plan, mode, threads, isa), refresh, regions)


class Stream:
    """The state of one video. Frames go in one after another; the first and every T-th is a keyframe.

    A frame of another size, a frame whose index does not follow the last one (a seek) and `reset()` start
    again from a keyframe (see `Clock`), of which nothing is taken over from before. A frame that is refused
    (`DataError`) leaves the stream as it was, and so does a call while another thread's is running, which is
    refused.

    plan, session: what is run, and what runs it.
    refresh: every so many frames one is computed in full, so that what a gate has passed over is made
        good; None is never.
    regions: what the gate goes by, of a session in mode regions; default are those of the scheme.
    is_key: whether the last frame was a keyframe (every frame is, without a time axis).
    """

    def __init__(
        self, plan: Plan, session: Session, refresh: int | None = None, regions: Regions | None = None
    ) -> None:
        if refresh is not None and refresh < 1:
            raise SchemeError(f"refresh={refresh}: a full frame comes every 1 or more frames")
        self.plan = plan
        self.refresh = refresh
        self.is_key = True
        self._session = session
        self._measures = {
            name: measure_by(plan.scheme.range_estimator, program.updates)
            for name, program in plan.programs.items()
        }
        regions = regions or plan.scheme.regions
        self.input = None if regions is None else RegionInput(plan, regions)
        self._has_states = bool(states_of(plan))
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is a keyframe."""
        self._clock = Clock(self.plan.scheme.period, self.refresh)
        self._regions: RegionState | None = None

    @property
    def report(self) -> FrameReport:
        """What there is to say of the last frame."""
        done, dense = self._session.work
        density = self.densities if dense else {}
        computed = {}
        if self.input and dense:
            computed = {name: part / whole for name, whole, part, _ in self.layers() if whole}
        return FrameReport(
            self.is_key, dense, done, density=density, computed=computed, memory_bytes=self.memory_bytes
        )

    @property
    def work_share(self) -> float:
        """`report.work_share`."""
        done, dense = self._session.work
        return FrameReport(macs=dense, macs_done=done).work_share

    def always_follow(self) -> None:
        """Follow changes even where that costs more than it saves: for measuring what there is to save."""
        self._session.always_follow()

    def layers(self) -> list[tuple[str, int, int, str]]:
        """Of the last frame, operator by operator: name, MACs of all of it, MACs done, and how.

        How: "dense", "listed" (some pixels in full), "residual" (changed groups on top of the last frame's
        sums).
        """
        return self._session.layers(self._kind)

    @property
    def _kind(self) -> str:
        """Of the last frame: which program it ran."""
        return "key" if self.is_key else "residual"

    @property
    def _program(self) -> Program:
        return self.plan.programs[self._kind]

    @property
    def changed(self) -> NDArray[np.float32]:
        """Where the last frame's work was done: H×W of the network's input, 0 … 1. See `changed.py`."""
        if self.region is not None:
            return self.region.mask(*self.plan.input_shape[2:]).astype(np.float32)
        return changed(self._session, self.layers(), self._program.ops, self.plan.input_shape[2:])

    @property
    def region(self) -> Region | None:
        """What the last frame computed anew, of a stream with regions; None before the first."""
        return None if self._regions is None else self._regions.region

    @property
    def densities(self) -> dict[str, float]:
        """Of the last frame, by quantization point, the share of elements in the sparse part; only with ds=.

        A point that this frame left in floating point has no sparse part, and is not named.
        """
        found = {}
        for op in self._program.ops:
            if op.kind == "sparse":
                slot = self.plan.slots[op.inputs[0]]
                elements = self._session.sparse(op.inputs[0])[2].size
                found[slot.name.removesuffix(" sparse")] = elements / slot.elements
        return found

    @property
    def memory_bytes(self) -> int:
        """The memory of this stream, its gate's too, without the weights, which the plan's streams share."""
        return self._session.memory_bytes + (0 if self._regions is None else self._regions.memory_bytes)

    def __call__(self, frame: Any) -> Any:
        """The network's output for the next frame, or {name: output} where there are several.

        frame: a `Frame`, a picture (`network.frames`), or the network's input 1×C×H×W.
        An output is a Tensor where PyTorch is installed, else an array; float32, as the network gives it.
        Raises `DataError` for a frame that cannot be taken, and where another thread is using the stream.
        """
        outputs = self.run(frame)
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def run(self, frame: Any) -> dict[str, Any]:
        """As calling it, but always {name: output}. What it returns does not change with later frames."""
        return for_user(self.arrays(frame))

    def arrays(self, frame: Any) -> dict[str, NDArray[np.float32]]:
        """As `run`, but always {name: array}, whether PyTorch is installed or not."""
        if not self._lock.acquire(blocking=False):
            raise DataError(f"{self.plan.name}: two threads use one stream at once; open a stream for each")
        try:
            with refused_as(DataError, f"{self.plan.name}: this frame cannot be computed"):
                return self._run(frame)
        finally:
            self._lock.release()

    def _pixels(self, frame: Any) -> NDArray[np.float32]:
        """The network's input for a frame, h×w×c."""
        plan = self.plan
        x = prepare(frame, plan.preprocessing, plan.input_shape, plan.name, check_finite=False)
        if x.shape[0] != 1:
            raise DataError(f"{plan.name}: the engine takes one frame at a time; got a batch of {x.shape[0]}")
        pixels = channels_last(x)
        if not self._session.finite(pixels):
            raise DataError(f"{plan.name}: the input holds NaN or infinity")
        return pixels

    def _run(self, frame: Any) -> dict[str, NDArray[np.float32]]:
        picture = self.input.picture(frame) if self.input else None
        pixels = self._pixels(frame) if picture is None else None
        clock = self._clock.tick(*index_and_size(frame, self.plan.input_shape))
        before = after = None if clock.is_full else self._regions
        self.reset()  # a frame that is broken off half-way leaves nothing to go on from
        if clock.is_full:
            self._session.refresh()
        if clock.restarts and self._has_states:
            self._session.forget()
        if self.input:
            before = before or self.input.first()
            after, pixels = self.input.look(before, picture, pixels, self._session)
        assert pixels is not None
        kind = "key" if clock.is_key else "residual"
        self._session.run(kind, pixels, self._measures[kind])
        outputs = self._outputs(pixels, before, after)
        self._clock, self.is_key, self._regions = clock, clock.is_key, after
        return outputs

    def _outputs(
        self, pixels: NDArray[np.float32], before: RegionState | None, after: RegionState | None
    ) -> dict[str, NDArray[np.float32]]:
        """The network's outputs: copies of what the session holds, after the postprocess."""
        plan = self.plan
        whole = after is None or after.region is None or after.region.whole
        # Copied by NumPy, on one thread: PyTorch's would still be waiting busily when the engine's begin.
        values = {
            name: channels_first(
                (self._session.slot(given.slot) if given.slot or not whole else pixels).copy(),
                given.shape,
                given.order,
            )
            for name, given in plan.given.items()
        }
        if self.input is None or before is None or after is None:
            postprocess.run(plan.postprocess, values)
        else:
            postprocess.run(plan.postprocess, values, hold=partial(self.input.hold, before, after))
        return {name: values[value] for name, value in plan.outputs.items()}
