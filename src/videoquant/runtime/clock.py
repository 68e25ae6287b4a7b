"""When keyframes come: the one place that decides what a frame is to those before it.

Simulation, the integer engine and calibration all ask it, so all begin again at the same frames.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

from videoquant.data.clip import Frame
from videoquant.errors import StreamWarning


@dataclass(frozen=True)
class Clock:
    """The time of one stream: what the last frame was. A value: a stream that keeps the old one is unmoved.

    period: T, one keyframe to T.
    refresh: every so many frames one is computed in full; None is never.
    since_key: the frames since the last keyframe, that one included; 0 before the first frame.
    since_full: likewise, since the last frame to be computed in full.
    restarts: whether the last frame was the first of a video, or came after a seek or a change of size: of
        what was before, nothing counts.
    index: of the last frame, None where it had none.
    size: its size, None before the first frame.
    """

    period: int = 1
    refresh: int | None = None
    since_key: int = 0
    since_full: int = 0
    restarts: bool = False
    index: int | None = None
    size: tuple[int, ...] | None = None

    @property
    def is_key(self) -> bool:
        """Whether the last frame was a keyframe."""
        return self.since_key == 1

    @property
    def is_full(self) -> bool:
        """Whether the last frame was to be computed in full, whatever had changed."""
        return self.since_full == 1

    def tick(self, index: int | None, size: tuple[int, ...]) -> Clock:
        """The clock after the next frame.

        index: its number in the video, if it has one.
        size: H×W×3 of a `Frame`, or the shape of what else was given.

        The first frame, a frame of another size than the last, and one whose index does not follow (a seek)
        are keyframes, and computed in full. Another size within a cycle gives a `StreamWarning`.
        """
        self._warn_of_sizes(size)
        restarts = size != self.size or not follows(self.index, index)
        key = restarts or self.since_key >= self.period
        full = restarts or self.since_full == self.refresh
        return replace(
            self,
            since_key=1 if key else self.since_key + 1,
            since_full=1 if full else self.since_full + 1,
            restarts=restarts,
            index=index,
            size=size,
        )

    def _warn_of_sizes(self, size: tuple[int, ...]) -> None:
        """Only frames have sizes with three parts; the shape of a network's input says nothing of frames."""
        last = self.size
        if last is not None and len(last) == len(size) == 3 and size != last and self.period > 1:
            warnings.warn(
                "frames have different sizes: one that differs from the frame before is a keyframe, so "
                "residual quantization gains nothing on it; bring them to one size first",
                StreamWarning,
                stacklevel=3,
            )


def follows(last: int | None, index: int | None) -> bool:
    """Whether a frame comes right after the last one, by their indices; without them, it does."""
    return last is None or index is None or index == last + 1


def index_and_size(given: Any, shape: tuple[int, ...]) -> tuple[int | None, tuple[int, ...]]:
    """What `Clock.tick` takes. given: to a stream. shape: of the network's input that was made of it."""
    return (given.index, given.pixels.shape) if isinstance(given, Frame) else (None, tuple(shape))
