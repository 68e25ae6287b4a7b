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
    inputs: Inputs | None = None,
    outputs: Outputs | None = None,
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
    inputs, outputs: give the network's inputs and floating-point outputs where they are known (`References`).

    Ctrl-C ends it after the frame in hand: what is measured so far is returned, marked incomplete.
    Raises `DataError` where there are no frames.
    """
    task = task_for(network)
    exact = FloatStream(network)
    known = outputs or (lambda _, frame, x, layers: reference_of(exact, frame, x, layers))
    meter = open_meter()
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
    collectors = [
        Collector(
            q, stream, comparison, agreement_for(task) if task else None, score() if score else None, meter
        )
        for q, stream in zip(quantized, streams or [q.stream() for q in quantized], strict=True)
    ]
    comparison.accuracy = score().measures if score else ()
    with deferred_interrupt() as interrupted:
        for number, given in enumerate(frames):
            frame = given if isinstance(given, Frame) else Frame(as_pixels(given), number)
            by_layer = number % LAYER_STEP == LAYER_STEP - 1
            layers: dict[str, Tensor] | None = {} if by_layer else None
            x = inputs(number, frame) if inputs else network.prepare(frame)
            reference = known(number, frame, x, layers)
            target = frame.sample.target if score and isinstance(frame, LabelledFrame) else None
            comparison.labelled += target is not None
            found = [collector.step(frame, x, target, reference, layers) for collector in collectors]
            if task and frame.index in picture_frames:
                comparison.drawn.append(comparison.frames)
                for collector, output in zip(collectors, found, strict=True):
                    collector.row.pictures.append(drawn(task, frame.pixels, output))
            comparison.frames += 1
            if progress:
                progress()
            if interrupted():
                comparison.complete = False
                break
    if not comparison.frames:
        raise DataError(f"{source}: no frames to score")
    comparison.rows = [collector.finish() for collector in collectors]
    for row, file in zip(comparison.rows, files or [""] * len(comparison.rows), strict=True):
        row.file = file
    if chip:
        add_chip(comparison.rows, network, [q.scheme for q in quantized], chip)
    return comparison


def add_chip(rows: Sequence[Row], network: Network, schemes: Sequence[Scheme], chip: Chip) -> None:
    """Give rows what their schemes take on a chip, with the shares and densities that were measured."""
    work = workload(network)
    for row, scheme in zip(rows, schemes, strict=True):
        row.on_chip = scheme_cost(chip, work, scheme, row.layer_shares, row.density.get("mean"), row.computed)
