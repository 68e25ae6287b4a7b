"""The loop: the frames, one after another, through the floating-point network and a stream of every scheme.

The stream is read once. Schemes run in simulation or on the integer engine; results are reduced as they come
(`collector.py`), so memory does not grow with the clip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import Tensor

from videoquant.comparison.collector import AnyStream, Collector
from videoquant.comparison.pictures import drawn
from videoquant.comparison.references import reference as reference_of
from videoquant.comparison.results import LAYER_STEP, Comparison, Row
from videoquant.costs.chip import Chip
from videoquant.costs.rapl import open_meter
from videoquant.costs.simulator import scheme_cost
from videoquant.costs.workload import workload
from videoquant.data.dataset import LabelledFrame
from videoquant.data.video import Frame
from videoquant.errors import DataError
from videoquant.interrupt import deferred_interrupt
from videoquant.network.float_stream import FloatStream
from videoquant.network.frames import as_pixels
from videoquant.network.graph import Network
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import primary_output, task_for
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.scoring import Score

# The network's input for a frame, by its number.
Inputs = Callable[[int, Frame], Tensor]
# The floating-point outputs of a frame by its number, for its input, which fill `layers` where that is given.
Outputs = Callable[[int, Frame, Tensor, dict[str, Tensor] | None], dict[str, Tensor]]


def compare(
    network: Network,
    quantized: Sequence[QuantizedNetwork],
    frames: Iterable[Any],
    source: str = "frames",
    calibration: str = "",
    picture_frames: Sequence[int] = (),
    stills: bool = False,
    score: Callable[[], Score] | None = None,
    progress: Callable[[], None] | None = None,
    streams: Sequence[AnyStream] | None = None,
    engine: str | None = None,
    chip: Chip | None = None,
    files: Sequence[str] | None = None,
) -> Comparison:
    """Score calibrated schemes on a stream, against the floating-point network.

    quantized: from `videoquant.quantize` or a training, all of this network.
    frames: a clip, or pictures of any kind (`network.frames`); read once, lazily.
    source, calibration: what the results call the frames and the calibration data.
    picture_frames: indexes of frames to draw, where the task is known.
    stills: whether the frames are unrelated images.
    score: makes what scores outputs against the targets of `LabelledFrame`s.
    progress: called after every frame.
    streams: what runs each scheme, `plan.stream()` of the engine or `quantized.stream()`; by default all are
        simulated.
    engine: what the results call the engine that runs some of them.
    chip: simulate the time and energy of every scheme on it, with the shares and densities recorded here.
    files: what each scheme was read from, "" for what was calibrated here; rows are called so too.

    Ctrl-C ends it after the frame in hand: what is measured so far is returned, marked incomplete.
    Raises `DataError` where there are no frames.
    """
    task = task_for(network)
    comparison = Comparison(
        network.name,
        source,
        task.name if task else None,
        task.measures if task else (),
        primary_output(network),
        calibration=calibration,
        stills=stills,
        engine=engine,
        chip=chip,
    )
    collectors, comparison.complete = passed(
        network, quantized, frames, picture_frames, score, progress, streams
    )
    comparison.accuracy = collectors[0].accuracy
    comparison.rows = [collector.finish(task) for collector in collectors]
    per_frame = comparison.rows[0].per_frame
    if not per_frame:
        raise DataError(f"{source}: no frames to score")
    comparison.frames = len(per_frame)
    comparison.labelled = sum("accuracy" in frame for frame in per_frame)
    if task:
        comparison.drawn = [i for i, frame in enumerate(per_frame) if frame["frame"] in picture_frames]
    for row, file in zip(comparison.rows, files or [""] * len(comparison.rows), strict=True):
        row.file = file
    if chip:
        add_chip(comparison.rows, network, [q.scheme for q in quantized], chip)
    return comparison


def passed(
    network: Network,
    quantized: Sequence[QuantizedNetwork],
    frames: Iterable[Any],
    picture_frames: Sequence[int],
    score: Callable[[], Score] | None,
    progress: Callable[[], None] | None,
    streams: Sequence[AnyStream] | None = None,
    inputs: Inputs | None = None,
    outputs: Outputs | None = None,
    first: int = 0,
) -> tuple[list[Collector], bool]:
    """A collector of each scheme that has seen the frames, and whether all; arguments as of `compare`.

    inputs, outputs: give the network's inputs and floating-point outputs where they are known (`References`).
    first: the number of the first frame, where others of the clip are scored before.
    """
    task, exact, meter = task_for(network), FloatStream(network), open_meter()
    known = outputs or (lambda _, frame, x, layers: reference_of(exact, frame, x, layers))
    primary = primary_output(network)
    collectors = [
        Collector(
            q, stream, primary, agreement_for(task) if task else None, score() if score else None, meter
        )
        for q, stream in zip(quantized, streams or [q.stream() for q in quantized], strict=True)
    ]
    with deferred_interrupt() as interrupted:
        for number, given in enumerate(frames, first):
            frame = given if isinstance(given, Frame) else Frame(as_pixels(given), number)
            by_layer = number % LAYER_STEP == LAYER_STEP - 1
            layers: dict[str, Tensor] | None = {} if by_layer else None
            x = inputs(number, frame) if inputs else network.prepare(frame)
            reference = known(number, frame, x, layers)
            target = frame.sample.target if score and isinstance(frame, LabelledFrame) else None
            found = [collector.step(frame, x, target, reference, layers) for collector in collectors]
            if task and frame.index in picture_frames:
                for collector, output in zip(collectors, found, strict=True):
                    collector.seen.pictures.append(drawn(task, frame.pixels, output))
            if progress:
                progress()
            if interrupted():
                return collectors, False
    return collectors, True


def add_chip(rows: Sequence[Row], network: Network, schemes: Sequence[Scheme], chip: Chip) -> None:
    """Give rows what their schemes take on a chip, with the shares and densities that were measured."""
    work = workload(network)
    for row, scheme in zip(rows, schemes, strict=True):
        row.on_chip = scheme_cost(chip, work, scheme, row.layer_shares, row.density.get("mean"), row.computed)
