"""What calibration frames show, what stands in where they show nothing, and the one warning that says so.

A picture of 8 bits is known to half a level, so two pictures of one scene differ by up to a level where
nothing moves. The residuals of such frames are the rounding error of their keyframe: a range that was learnt
from it would clip the first thing that moves to nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from torch import Tensor

from videoquant.errors import CalibrationWarning
from videoquant.network.preprocessing import Preprocessing
from videoquant.quantizers.placement import Point
from videoquant.schemes import Scheme


class Evidence:
    """What the frames of one walk show.

    moves: by frame in order, whether it differs from its reference (its keyframe, or for recurrent schemes
        the frame before) by more than a level anywhere; False for keyframes.
    same: whether all frames are one picture. blank: whether each is of one colour only.
    still: points at which no residual shows movement. unseen: points that are zero in every frame.
    unvaried: points whose predictor had nothing to learn from.
    """

    def __init__(
        self, clips: Sequence[Sequence[Tensor]], preprocessing: Preprocessing, recurrent: bool
    ) -> None:
        level = preprocessing.level

        def differ(a: Tensor, b: Tensor) -> bool:
            return bool((a - b).abs().max() > level)

        first = clips[0][0]
        frames = [frame for clip in clips for frame in clip]
        self.moves = [
            t > 0 and differ(frame, clip[t - 1 if recurrent else 0])
            for clip in clips
            for t, frame in enumerate(clip)
        ]
        self.same = len(frames) > 1 and not any(differ(frame, first) for frame in frames)
        self.blank = first[0, 0].numel() > 1 and all(_contrast(frame) <= level for frame in frames)
        self.still: list[Point] = []
        self.unseen: list[Point] = []
        self.unvaried: list[Point] = []

    def warn(self, scheme: Scheme, points: int) -> None:
        """Say what was not shown and what stands in, if anything. points: how many quantizers there are."""
        found = []
        if self.blank:
            found.append("every frame is of one colour; all ranges are measured at run time instead")
        elif self.unseen:
            found.append(f"{_at(self.unseen, points)} are always zero; their ranges are measured at run time")
        if self.still:
            found.append(
                f"nothing moves at {_at(self.still, points)}; their residuals take the range of frames"
            )
        if self.unvaried:
            found.append(f"nothing varies at {_at(self.unvaried, points)}; their ranges are static")
        if found:
            text = f"{scheme}: calibration shows too little: {'. '.join(found)}"
            warnings.warn(f"{text}. Calibrate on frames like those that will come", CalibrationWarning, 3)


def _contrast(frame: Tensor) -> float:
    """The largest difference of two pixels within a channel."""
    pixels = frame.flatten(2)
    return float((pixels.amax(2) - pixels.amin(2)).max())


def _at(points: Sequence[Point], count: int) -> str:
    """Quantizers in words: how many, and the first of them."""
    return f"{len(points)} of {count} quantizers ({points[0].value!r}{', …' if len(points) > 1 else ''})"
