"""`videoquant run`: a stored network over a stream, its answers drawn into a video.

A plan runs with what `pip install videoquant` brings; anything else needs PyTorch to be read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from videoquant.axes import Regions
from videoquant.cli.console import progress_bar, say
from videoquant.cli.modes import ENGINES, SIMULATE, ThreadsOption, default_mode, read_engine
from videoquant.cli.options import (
    FROM_FILES,
    DatasetOption,
    TakesFrames,
    Texts,
    VideoOption,
    channels_match,
    open_clip,
    open_source,
    preprocessing_options,
    said,
)
from videoquant.cli.sizes import parse_size
from videoquant.cli.targets import check_targets
from videoquant.data.clip import Clip
from videoquant.data.writer import VideoWriter
from videoquant.errors import DataError, NetworkError, SchemeError, VideoQuantError, needs_extra, refused_as
from videoquant.files import check_file
from videoquant.interrupt import deferred_interrupt
from videoquant.runtime.integer_network import IntegerNetwork, load_plan
from videoquant.runtime.plan import Plan
from videoquant.runtime.plan_file import is_plan_file
from videoquant.runtime.session import check_mode
from videoquant.runtime.stream import Stream
from videoquant.schemes import Scheme
from videoquant.stopwatch import timed
from videoquant.tasks import Task, task_for
from videoquant.tasks.detection import Detection
from videoquant.tasks.detection.tracking import WEAK, Tracker
from videoquant.tasks.drawing import fitted, tint_changed


@preprocessing_options
def command(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="What `videoquant quantize` stored, or a quantized ONNX file."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.mp4", help="The annotated video.")],
    video: VideoOption = None,
    dataset: DatasetOption = None,
    count: Annotated[
        int | None, typer.Option("--frames", metavar="N", min=1, help="Stop after N frames.")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"What runs it: {', '.join(ENGINES)}; docs/engine.md. With regions its rule may stand, in "
            "the words of a scheme. Default: exact, where that can.",
        ),
    ] = None,
    threads: ThreadsOption = 2,
    budget: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="How far the task's measure may fall against every frame computed, as a share: seeks a rule "
            "for --engine regions that keeps it.",
        ),
    ] = None,
    calibrate_on: Annotated[
        str | None,
        typer.Option(metavar="CLIP", help="Seek what keeps the budget on this; default: the clip."),
    ] = None,
    paint: Annotated[
        bool, typer.Option("--paint", help="Tint, in violet, where the engine computed.")
    ] = False,
    track: Annotated[
        bool, typer.Option("--track", help="Of a detector: follow each thing, and draw its number.")
    ] = False,
    size: Annotated[
        str | None, typer.Option("--size", metavar="HxW", help="Of an ONNX file: the network's input.")
    ] = None,
    *,
    preprocessing: Texts,
) -> None:
    """Run a quantized network over a stream and write the annotated video. Ctrl-C keeps what is done.

    So does a frame that cannot be read or run: it ends the film, and the command with exit code 2.
    """
    name, rule = read_engine(engine)
    if budget is None and calibrate_on is not None:
        raise SchemeError("--calibrate-on is where a budget is kept; it needs --budget")
    if budget is not None and (rule or name not in (None, "regions")):
        raise SchemeError(
            f"--budget seeks a rule for --engine regions; it does not go with --engine {engine}"
        )
    if budget is not None:
        name = "regions"
    check_targets(
        {"FILE": file, "--video": video, "--dataset": dataset, "--calibrate-on": calibrate_on}
        | {f"--{name}": preprocessing.get(name) for name in FROM_FILES},
        {"--output": output},
    )
    opened = _open(file, preprocessing, None if size is None else parse_size(size, "--size"))
    channels_match(opened.network)
    clip = open_source(video, None, dataset)
    film = VideoWriter(output, clip.rate)  # here already, as it checks the suffix and the rate
    mode, plan = opened.choose(name)
    if paint and plan is None:
        raise SchemeError("--paint shows where an engine computed; simulation computes everything")
    draw = _drawing(opened.task, track)
    total = count if clip.is_live else min(len(clip), count or len(clip))
    done, seconds, work = 0, 0.0, 0.0
    first: tuple[int, int] | None = None
    failure: VideoQuantError | None = None
    if plan is not None and budget is not None:
        seen = open_clip(calibrate_on) if calibrate_on else clip
        rule = find_rule(plan, seen, budget, opened.task, threads)
    stream = opened.simulated() if plan is None else plan.stream(mode, threads, regions=rule)
    with (
        deferred_interrupt() as interrupted,
        film as writer,
        progress_bar("running", total) as advance,
    ):
        try:
            for frame in itertools.islice(clip, count):
                outputs, ms = timed(partial(stream.run, frame))
                seconds += ms / 1e3
                with refused_as(NetworkError, f"{file}: its outputs cannot be drawn"):
                    picture = draw(frame.pixels, outputs)
                work += stream.report.work_share
                if paint and isinstance(stream, Stream):
                    shown = (frame.pixels.shape[0], frame.pixels.shape[1])
                    picture = tint_changed(picture, stream.changed, shown, stream.plan.preprocessing)
                # A film has one size: that of the first frame, also where the clip's changes.
                first = first or (picture.shape[0], picture.shape[1])
                writer.write(fitted(picture, first), frame.time)
                done += 1
                advance()
                if interrupted():
                    break
        except (DataError, NetworkError) as error:
            if not done:
                raise
            failure = error
    rate = f"{done / seconds:.1f} frames per second" if seconds else "no frames"
    how = f"{rate} in simulation" if mode == SIMULATE else f"{rate} by engine {mode}"
    if done and mode != SIMULATE:
        how += f", {work / done:.0%} of the work of full frames"
    if done and paint:
        how += "; violet is what was computed anew"
    say(f"{output}: {done} frames, {opened.scheme}, {how}")
    if failure:
        raise DataError(f"{failure}; the {done} frames before it are in {output}")


def _drawing(task: Task, track: bool) -> Callable[[NDArray[np.uint8], Mapping[str, Any]], NDArray[np.uint8]]:
    """What draws the outputs of one frame after another; with `track`, every box with its track's number."""
    if not track:
        return task.draw
    if not isinstance(task, Detection):
        raise SchemeError(f"--track follows boxes; this network is for {task.name}")
    tracker = Tracker(task.score)

    def draw(pixels: NDArray[np.uint8], outputs: Mapping[str, Any]) -> NDArray[np.uint8]:
        found = task.boxes((pixels.shape[0], pixels.shape[1]), outputs, min(WEAK, task.score))
        return task.draw_boxes(pixels, tracker.update(found), outputs)

    return draw


def find_rule(plan: Plan, clip: Clip, budget: float, task: Task, threads: int) -> Regions:
    """The rule of regions that keeps a budget, whose search needs PyTorch."""
    with needs_extra("--budget"):
        from videoquant.cli.engines import search_rule
    return search_rule(plan, clip, budget, task, threads)


@dataclass(frozen=True)
class _Opened:
    """What FILE holds.

    choose: --engine → the mode, and the plan that runs in it; None where that simulates.
    simulated: opens the stream that does so.
    """

    network: TakesFrames
    scheme: Scheme
    task: Task
    choose: Callable[[str | None], tuple[str, IntegerNetwork | None]]
    simulated: Callable[[], Any]


def _open(file: Path, preprocessing: Texts, size: tuple[int, int] | None) -> _Opened:
    """Raises `NetworkError` where it cannot be read, or nobody knows what its outputs mean.

    preprocessing, size: of ONNX files alone, which may not say it.
    """
    check_file(file, NetworkError)
    if is_plan_file(file):
        if preprocessing or size:
            raise NetworkError(f"{file}: its preprocessing and size are stored with it; leave them out")
        plan = load_plan(file)
        return _Opened(
            plan, plan.scheme, _known(file, plan.task), partial(_mode_of_a_plan, file, plan), lambda: None
        )
    with needs_extra(f"{file}: running what is no plan"):
        from videoquant.cli.engines import choose_engine
        from videoquant.storage import load_quantized
    given = {option: said(option, text) for option, text in preprocessing.items()}
    quantized = load_quantized(file, preprocessing=given, size=size)
    network = quantized.network
    task = _known(file, task_for(network))
    return _Opened(network, quantized.scheme, task, partial(choose_engine, quantized), quantized.stream)


def _known(file: Path, task: Task | None) -> Task:
    if task is None:
        raise NetworkError(
            f"{file}: its task is unknown or does not fit its outputs, so nothing can be drawn; "
            f"{'give one, --task' if file.suffix == '.onnx' else 'quantize it again with --task'}"
        )
    return task


def _mode_of_a_plan(
    file: Path, plan: IntegerNetwork, wanted: str | None
) -> tuple[str, IntegerNetwork | None]:
    if wanted == SIMULATE:
        raise SchemeError(f"--engine {SIMULATE}: {file} is a plan, which runs in integers only")
    mode = wanted or default_mode(plan.scheme)
    check_mode(plan, mode)
    return mode, plan
