"""What `videoquant compare` runs: which schemes, and which frames are scored, drawn and calibrate."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from videoquant.axes import Frame as FrameByFrame
from videoquant.calibration.sampling import (
    FOLLOWED_RUNS,
    RUNS,
    SCORED_FRAMES,
    Split,
    calibration_runs,
    run_length,
    spans_of_clips,
    split,
)
from videoquant.comparison import DEFAULT_IMAGE_SCHEMES, DEFAULT_LABELLED_SCHEMES, DEFAULT_SCHEMES
from videoquant.data.joined import JoinedClip
from videoquant.data.video import Clip, Frame
from videoquant.errors import SchemeError
from videoquant.network.graph import Network
from videoquant.scheme_text import split_schemes
from videoquant.schemes import Scheme

PICTURES = 36  # frames drawn for the report, at most: each takes 20 ms a scheme


def parse_schemes(
    text: str | None, stills: bool, labelled: bool = False, convention: str = "default"
) -> list[Scheme]:
    """The schemes of --schemes, or the default ones. Stills have no time, so only frame schemes fit them."""
    defaults = DEFAULT_IMAGE_SCHEMES if stills else DEFAULT_LABELLED_SCHEMES if labelled else DEFAULT_SCHEMES
    parts = defaults if text is None else split_schemes(text)
    if not parts:
        raise SchemeError('--schemes is empty; write e.g. "fp32; w8a8; w8a8->w4a4 T=3"')
    schemes = list(dict.fromkeys(Scheme.parse(part, convention) for part in parts))
    for scheme in schemes:
        if stills and not isinstance(scheme.time, FrameByFrame):
            raise SchemeError(f"{scheme}: needs a video; stills have no frame before them")
    return schemes


def plan_frames(
    network: Network,
    source: Clip,
    count: int | None,
    schemes: Sequence[Scheme],
    calibrated_elsewhere: bool,
    is_timed: bool = False,
) -> Split:
    """Which frames are scored and which are free to calibrate on.

    is_timed: whether an engine runs them, whose times hang on what has changed since the frame before.
    """
    periods = [scheme.period for scheme in schemes]
    if source.is_live:  # every opening of a camera gives new frames
        return Split([range(count or SCORED_FRAMES)], [range(live_frames(network, schemes))])
    total = len(source)
    if count is None and calibrated_elsewhere:
        count = min(total, SCORED_FRAMES)
    follows = is_timed or any(scheme.regions for scheme in schemes)
    return split(total, count, periods, FOLLOWED_RUNS if follows else RUNS)


def live_frames(network: Network, schemes: Sequence[Scheme]) -> int:
    """How many frames of a camera calibrate all the schemes."""
    return max(run_length(network, scheme) * calibration_runs(scheme) for scheme in schemes)


def kind_of_runs(network: Network, scheme: Scheme) -> tuple[int, int]:
    """Of the runs that calibrate a scheme, how many frames each has and how many there are."""
    return run_length(network, scheme), calibration_runs(scheme)


def calibration_sets(
    network: Network, source: Clip, free: Sequence[Sequence[range]], schemes: Sequence[Scheme]
) -> dict[tuple[int, int], list[Frame]]:
    """The calibration frames for each length and number of runs that occurs, read in one pass.

    free: the spans of each clip that `source` joins.
    """
    kinds = {kind_of_runs(network, scheme) for scheme in schemes}
    wanted = {kind: {i for span in spans_of_clips(free, *kind) for i in span} for kind in kinds}
    every = sorted(set().union(*wanted.values()))
    # By position: where a data set has several sequences, a frame's index is another.
    read = dict(zip(every, source.runs([range(i, i + 1) for i in every]), strict=False))
    return {kind: [read[i] for i in sorted(indexes & read.keys())] for kind, indexes in wanted.items()}


def free_spans(clips: Sequence[Clip], plans: Sequence[Split]) -> list[list[range]]:
    """The free spans of each clip, by their positions where the clips are joined."""
    if len(clips) == 1:
        return [plans[0].free]
    parts = JoinedClip(clips).parts
    return [
        [range(part.start + span.start, part.start + span.stop) for span in plan.free]
        for part, plan in zip(parts, plans, strict=True)
    ]


def picture_frames(clip: Clip, scored: Sequence[range], clips: int) -> tuple[int, ...]:
    """The indexes of scored frames to draw; of many every second, third, … one, and fewer of each of several
    clips."""
    positions = [position for span in scored for position in span]
    step = min(-(-len(positions) * clips // PICTURES), len(positions))
    return tuple(map(clip.index_at, positions[step - 1 :: step]))


def commands(
    network: str,
    videos: Sequence[str] | None,
    images: Path | None,
    datasets: Sequence[str] | None,
    checkpoint: Path | None,
    size: str | None,
    preprocessing: Mapping[str, str | None],
) -> str:
    """The lines that make a scheme, "{scheme}" in its place, as these options say, and run it on a video."""
    source = [("--video", video) for video in videos or []] + [("--dataset", one) for one in datasets or []]
    how = [("--checkpoint", checkpoint), ("--size", size)]
    how += [(f"--{name.replace('_', '-')}", value) for name, value in preprocessing.items()]
    given, rest = (
        [word for name, value in words if value is not None for word in (name, str(value))]
        for words in ([*source, ("--images", images)], how)
    )
    file = f"{Path(network).stem}.vq"
    lines = [["quantize", network, "--scheme", "{scheme}", *given, *rest, "-o", file]]
    for video in (videos or [])[:1]:
        lines.append(["run", file, "--video", video, "-o", f"{Path(network).stem}.mp4"])
    return "\n".join(shlex.join(["videoquant", *line]) for line in lines)


def describe(
    calibration: Clip, is_scored: bool, plans: Sequence[Split], sets: dict[tuple[int, int], list[Frame]]
) -> str:
    """The calibration data in words. is_scored: whether it is of the clips that are scored."""
    numbers = " and ".join(str(count) for count in sorted({len(frames) for frames in sets.values()}))
    if not is_scored:
        return f"{numbers} frames of {calibration.name}"
    overlap = (
        "none of them scored"
        if all(plan.disjoint for plan in plans)
        else "some of them scored too: the clip is too short for both"
    )
    kind = "stream" if calibration.is_live else "clips" if len(plans) > 1 else "source"
    return f"{numbers} frames of the same {kind}, {overlap}"
