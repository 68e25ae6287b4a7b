"""One video going through a plan. Called as `simulate.Stream` is; the work is done in integers."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from videoquant.errors import DataError, SchemeError, refused_as
from videoquant.network.graph import unwrap
from videoquant.network.operators import OPERATORS
from videoquant.network.preprocessing import prepare
from videoquant.runtime.changed import changed
from videoquant.runtime.clock import Clock, index_and_size
from videoquant.runtime.plan import Plan
from videoquant.runtime.ranges import as_value, measured_ranges, measuring
from videoquant.runtime.report import FrameReport
from videoquant.runtime.session import Session
from videoquant.runtime.sizes import channels_last
from videoquant.torch_settings import plain_math


class Stream:
    """The state of one video. Frames go in one after another; the first and every T-th is a keyframe.

    A frame of another size, a frame whose index does not follow the last one (a seek) and `reset()` start
    again from a keyframe (see `Clock`), of which nothing is taken over from before. A frame that is refused
    (`DataError`) leaves the stream as it was, and so does a call while another thread's is running, which is
    refused.

    refresh: every so many frames one is computed in full, so that what mode bounded has passed over is made
    good; None is never.
    is_key: whether the last frame was a keyframe (every frame is, without a time axis).
    """

    def __init__(self, plan: Plan, session: Session, refresh: int | None = None) -> None:
        if refresh is not None and refresh < 1:
            raise SchemeError(f"refresh={refresh}: a full frame comes every 1 or more frames")
        self.plan = plan
        self.refresh = refresh
        self.is_key = True
        self._session = session
        self._measured = {
            name: measured_ranges(program, plan.scheme) for name, program in plan.spec["programs"].items()
        }
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is a keyframe."""
        self._clock = Clock(self.plan.scheme.period, self.refresh)

    @property
    def report(self) -> FrameReport:
        """What there is to say of the last frame."""
        done, dense = self._session.work
        density = self.densities if dense else {}
        return FrameReport(self.is_key, dense, done, density=density, memory_bytes=self.memory_bytes)

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
        return self._session.layers(self._program)

    @property
    def _program(self) -> str:
        """The one that the last frame ran."""
        return "key" if self.is_key else "residual"

    @property
    def changed(self) -> NDArray[np.float32]:
        """Where the last frame's work was done: H×W of the network's input, 0 … 1. See `changed.py`."""
        operators = self.plan.spec["programs"][self._program]["ops"]
        return changed(self._session, self.layers(), operators, self.plan.input_shape[2:])

    @property
    def densities(self) -> dict[str, float]:
        """Of the last frame, by quantizer point, the share of elements in the sparse part; only with ds=.

        A point that this frame left in floating point has no sparse part, and is not named.
        """
        slots, found = self.plan.spec["slots"], {}
        for operator in self.plan.spec["programs"][self._program]["ops"]:
            if operator["kind"] == "sparse":
                slot = slots[operator["inputs"][0]]
                elements = self._session.sparse(operator["inputs"][0])[2].size
                name = slot["name"].removesuffix(" sparse")
                found[name] = elements / (slot["h"] * slot["w"] * slot["c"])
        return found

    @property
    def memory_bytes(self) -> int:
        """The memory of this stream, without the weights, which the plan's streams share."""
        return self._session.memory_bytes

    def __call__(self, frame: Any) -> Tensor | dict[str, Tensor]:
        """The network's output for the next frame: a Tensor, or {name: Tensor} where there are several.

        frame: a `Frame`, a picture (`network.frames`), or the network's input 1×C×H×W.
        Raises `DataError` for a frame that cannot be taken, and where another thread is using the stream.
        """
        return unwrap(self.run(frame))

    @plain_math()
    def run(self, frame: Any) -> dict[str, Tensor]:
        """As calling it, but always {name: Tensor}. What it returns does not change with later frames."""
        if not self._lock.acquire(blocking=False):
            raise DataError(f"{self.plan.name}: two threads use one stream at once; open a stream for each")
        try:
            with refused_as(DataError, f"{self.plan.name}: this frame cannot be computed"):
                return self._run(frame)
        finally:
            self._lock.release()

    def _run(self, frame: Any) -> dict[str, Tensor]:
        plan = self.plan
        # PyTorch's threads would still be waiting busily, and in the way, when the engine's begin.
        x = prepare(frame, plan.preprocessing, plan.input_shape, plan.name, check_finite=False)
        if x.shape[0] != 1:
            raise DataError(f"{plan.name}: the engine takes one frame at a time; got a batch of {x.shape[0]}")
        pixels = channels_last(x)
        if not self._session.finite(pixels):
            raise DataError(f"{plan.name}: the input holds NaN or infinity")
        clock = self._clock.tick(*index_and_size(frame, x.shape))
        self.reset()  # a frame that is broken off half-way leaves nothing to go on from
        if clock.is_full:
            self._session.refresh()
        program = "key" if clock.is_key else "residual"
        self._session.run(program, pixels, measuring(self._measured[program], x))
        outputs = self._outputs(x)
        self._clock, self.is_key = clock, clock.is_key
        return outputs

    def _outputs(self, x: Tensor) -> dict[str, Tensor]:
        """The network's outputs, copied out of the session, and the tail run on them."""
        plan = self.plan
        # Copied by NumPy, on one thread: PyTorch's would be in the way of the engine's (see `_run`).
        values = {
            name: x.clone() if slot == 0 else as_value(self._session.slot(slot).copy(), plan.shapes[name])
            for name, slot in plan.spec["outputs"].items()
        }
        for node in plan.tail:
            inputs = [values[name] for name in node.inputs]
            values[node.name] = OPERATORS[node.op](
                *inputs, **plan.tail_parameters[node.name], **node.attributes
            )
        return {name: values[output] for name, output in plan.outputs.items()}
