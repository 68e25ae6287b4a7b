"""What calibration frames show, what stands in where they show nothing, and the one warning that says so.

A picture of 8 bits is known to half a level, so two pictures of one scene differ by up to a level where
nothing moves. The residuals of such frames are the rounding error of their keyframe, and those of a camera
before which nothing moves are its noise: a range that was learnt from these alone would clip the first thing
that moves to nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from videoquant.errors import CalibrationWarning
from videoquant.network.preprocessing import Preprocessing
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.schemes import Scheme

BLOCK = 4  # pixels: noise of single pixels averages out in a block, what moves does not
# A clip shows movement where a block changes by more than this share of the contrast between blocks. Two
# parked cameras gave 0.01 to 0.07 while nothing moved; people, cars and a talking head gave 0.13 to 1.
MOVEMENT = 1 / 8


class Evidence:
    """What the frames of one walk show.

    moves: by frame in order, whether it differs from its reference (its keyframe, or for recurrent schemes
        the frame before) by more than a level anywhere; False for keyframes, and for all frames where the
        most that the clip shows is noise (`MOVEMENT`).
    same: whether all frames are one picture.
    blank: whether each is of one colour only.
    still: points at which no residual shows movement.
    unseen: points that are zero in every frame.
    unvaried: points whose predictor had nothing to learn from.
    overflowed: layers whose corrected biases leave float32.
    unmeasured: what the network's task measures, where no frame shows any; else empty.
    """

    def __init__(
        self, clips: Sequence[Sequence[Tensor]], preprocessing: Preprocessing, recurrent: bool
    ) -> None:
        level = preprocessing.level

        def differ(a: Tensor, b: Tensor) -> bool:
            return bool((a - b).abs().max() > level)

        first = clips[0][0]
        frames = [frame for clip in clips for frame in clip]
        pairs = [
            (frame, clip[t - 1 if recurrent else 0] if t else None)
            for clip in clips
            for t, frame in enumerate(clip)
        ]
        self.moves = [known is not None and differ(frame, known) for frame, known in pairs]
        if not any(known is not None and _movement(frame, known) > MOVEMENT for frame, known in pairs):
            self.moves = [False] * len(pairs)
        self.same = len(frames) > 1 and not any(differ(frame, first) for frame in frames)
        self.blank = first[0, 0].numel() > 1 and all(_contrast(frame) <= level for frame in frames)
        self.still: list[QuantizationPoint] = []
        self.unseen: list[QuantizationPoint] = []
        self.unvaried: list[QuantizationPoint] = []
        self.overflowed: list[str] = []
        self.unmeasured = ""

    def shortcomings(self, scheme: Scheme, points: int) -> str:
        """What was not shown and what stands in, else nothing. points: how many quantizers there are."""
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
            found.append(f"too few frames differ at {_at(self.unvaried, points)}; their ranges are static")
        if self.same and not found:
            found.append("all frames are one picture, whose ranges stand for all")
        if self.overflowed:
            found.append(f"the corrected bias of {self.overflowed[0]!r} overflows; such layers keep theirs")
        if self.unmeasured:
            found.append(f"no frame shows what {self.unmeasured} measures")
        if not found:
            return ""
        text = f"{scheme}: calibration shows too little: {'. '.join(found)}"
        return f"{text}. Calibrate on frames like those that will come"


def warn(shortcomings: str) -> None:
    """Say what calibration frames do not show."""
    warnings.warn(shortcomings, CalibrationWarning, 3)


def _movement(frame: Tensor, reference: Tensor) -> float:
    """The largest change of a block's mean, as a share of the contrast between the reference's blocks."""
    if frame.dim() != 4 or min(frame.shape[2:]) < BLOCK:
        change, contrast = float((frame - reference).abs().max()), float(reference.max() - reference.min())
    else:
        now, before = F.avg_pool2d(frame, BLOCK), F.avg_pool2d(reference, BLOCK)
        change = float((now - before).abs().max())
        contrast = float((before.amax((2, 3)) - before.amin((2, 3))).max())
    return change / contrast if contrast else float(change > 0)


def _contrast(frame: Tensor) -> float:
    """The largest difference of two pixels within a channel."""
    pixels = frame.flatten(2)
    return float((pixels.amax(2) - pixels.amin(2)).max())


def _at(points: Sequence[QuantizationPoint], count: int) -> str:
    """Quantizers in words: how many, and the first of them."""
    points = list(dict.fromkeys(points))  # one may be named for keyframes and for residual frames
    return f"{len(points)} of {count} quantizers ({points[0].value!r}{', …' if len(points) > 1 else ''})"
