"""The main job: run every scheme over one stream beside the floating-point network, and measure both.

The stream is read once. Each frame goes through the floating-point network and through a stream of every
scheme, in simulation or on the integer engine; results are reduced as they come, so memory does not grow with
the clip.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from videoquant.axes import DenseSparse
from videoquant.costs.bops import amortised_bops, frame_bops
from videoquant.costs.chip import Chip
from videoquant.costs.rapl import Meter, open_meter
from videoquant.costs.simulator import SchemeCost, scheme_cost
from videoquant.costs.workload import workload
from videoquant.data.dataset import LabelledFrame
from videoquant.data.targets import Target
from videoquant.data.video import Frame
from videoquant.engine import Stream as EngineStream
from videoquant.errors import DataError
from videoquant.interrupt import deferred_interrupt
from videoquant.network.frames import as_pixels
from videoquant.network.graph import Network, Node
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.quantizers.predictor import Features
from videoquant.simulate.activations import ActivationGrid, PredictedGrid
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.simulate.stream import Stream
from videoquant.tasks import Agreement, Measure, primary_output, task_for
from videoquant.tasks.scoring import Score
from videoquant.tasks.sqnr import EXACT_DB, Sqnr

AnyStream = Stream | EngineStream

LAYER_STEP = 5  # every fifth frame is measured layer by layer: a step that meets every offset of T = 2, 3, 4
PICTURES = 3  # frames drawn for the report

DEFAULT_SCHEMES = (
    "fp32",
    "w8a8",
    "w4a8",
    "w8a4",
    "w4a4",
    "w8a8->w4a8 T=3",
    "w8a8->w8a4 T=3",
    "w8a8->w4a4 T=3",
    "w8a8->w4a4 T=3 qpp",
    "w8a4->w4a4 T=3",
    "w8a8->w4a4 T=3 ds=1%",
    "w8a8->w4a8 T=3 adaptive",
    "w8a8->w4a8 T=3 adaptive tau=2",
)
# Of a labelled video, what the supplement of the ResQ paper measures: frame quantization and residual pairs
# at T = 3 (its Figures 1 and 2), then its Table 2: weights per tensor, against per channel, the default.
DEFAULT_LABELLED_SCHEMES = (
    "fp32",
    "w8a8",
    "w4a4",
    "w3a3",
    "w2a2",
    "w8a8->w4a8 T=3",
    "w8a8->w8a4 T=3",
    "w8a8->w4a4 T=3",
    "w8a4->w4a4 T=3",
    "w4a4->w3a3 T=3",
    "w3a3->w2a2 T=3",
    "w8a8->w4a8 T=3 per-tensor",
    "w8a8->w8a4 T=3 per-tensor",
    "w8a8->w4a4 T=3 per-tensor",
    "w8a4->w4a4 T=3 per-tensor",
)
DEFAULT_IMAGE_SCHEMES = ("fp32", "w8a8", "w6a6", "w4a8", "w8a4", "w4a4")


@dataclass
class PredictedRanges:
    """The upper ends of one quantizer's ranges; of a residual, and of a threshold, they are the whole range.

    layer: the first that reads it. residual: whether on residual frames. position: the value its predictor
    reads. average: the static one. quality: of the predictor, on calibration samples left out (`Predictor`).
    predicted, measured: frame by frame.
    """

    layer: str
    residual: bool
    position: str
    average: float
    quality: float
    predicted: list[float] = field(default_factory=list)
    measured: list[float] = field(default_factory=list)


@dataclass
class Row:
    """One scheme's results.

    scheme: its text. file: what it was read from, "" where it was calibrated here. gbops_per_frame: 10⁹ bit
    operations, amortised over a cycle. sqnr_db: of the primary output against fp32, over the whole stream, at
    most `EXACT_DB`. agreement: the task's measures against
    fp32. accuracy: measures against the labels of a data set; accuracy_by_label: the first of them, by class
    or joint. per_frame: a dict per frame: frame (index), key, gbops, sqnr_db, agreement, and accuracy where
    it has a label. layer_sqnr_db: by layer, on every `LAYER_STEP`-th frame. shares: of adaptive schemes, the
    share of the MACs at each bit-width over the residual frames; layer_shares: by layer. density: of Dense +
    Sparse schemes, the one requested, and mean, p10 and p90 over frames of what was measured (a frame's is
    its mean over the MACs). ranges: of schemes that predict them, on every `LAYER_STEP`-th frame: what was
    predicted and what would have been measured. pictures: overlays on the sample frames. frames_per_second,
    work_share: where the engine ran it, from frames to outputs, and how much of the work of full frames was
    done, on average; None in simulation, and only there are layers, shares and ranges measured.
    measured_mj: millijoules per frame of the CPU, where the engine ran it and the machine exposes them.
    on_chip: what the scheme takes on the comparison's chip.
    """

    scheme: str
    gbops_per_frame: float = 0.0
    sqnr_db: float = EXACT_DB
    agreement: dict[str, float] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    accuracy_by_label: dict[str, float | None] = field(default_factory=dict)
    per_frame: list[dict[str, Any]] = field(default_factory=list)
    layer_sqnr_db: dict[str, float] = field(default_factory=dict)
    shares: dict[int, float] = field(default_factory=dict)
    layer_shares: dict[str, dict[int, float]] = field(default_factory=dict)
    density: dict[str, float] = field(default_factory=dict)
    ranges: list[PredictedRanges] = field(default_factory=list)
    pictures: list[NDArray[np.uint8]] = field(default_factory=list)
    frames_per_second: float | None = None
    work_share: float | None = None
    file: str = ""
    measured_mj: float | None = None
    on_chip: SchemeCost | None = None

    @property
    def name(self) -> str:
        """The scheme, and the file where it was read from one."""
        return f"{self.scheme} ({self.file})" if self.file else self.scheme


@dataclass
class Comparison:
    """What `compare` found.

    network, source: their names. calibration: which data calibrated, in words. task: what the outputs
    mean, or None. measures: the task's, in the order of columns. primary: the output whose SQNR is given.
    frames: how many were scored. picture_frames: indexes of the frames drawn. stills: whether the frames are
    unrelated images. accuracy: the measures against labels, where there are any; labelled: how many frames
    have one. complete: False where the user stopped it; then every row holds the same first frames.
    engine: what ran the rows that have a `work_share`; None where all were simulated.
    chip: what the rows' `on_chip` is for; None where no chip was asked for.
    """

    network: str
    source: str
    task: str | None
    measures: tuple[Measure, ...]
    primary: str
    rows: list[Row] = field(default_factory=list)
    calibration: str = ""
    frames: int = 0
    picture_frames: list[int] = field(default_factory=list)
    stills: bool = False
    accuracy: tuple[Measure, ...] = ()
    labelled: int = 0
    complete: bool = True
    engine: str | None = None
    chip: Chip | None = None


class _Contender:
    """One scheme on its way through the stream."""

    def __init__(
        self,
        quantized: QuantizedNetwork,
        stream: AnyStream,
        comparison: Comparison,
        agreement: Agreement | None,
        score: Score | None,
        meter: Meter | None,
    ) -> None:
        self.network, self.scheme, self.points = quantized.network, quantized.scheme, quantized.points
        self.stream = stream
        self.seconds: list[float] = []
        self.work: list[float] = []
        self.joules: list[float] = []
        self.meter = meter
        self.row = Row(str(quantized.scheme))
        self.primary = comparison.primary
        self.agreement, self.score, self.scored = agreement, score, 0
        self.sqnr = Sqnr()
        self.layers: dict[str, Sqnr] = {}
        self.bops: dict[bool, list[float]] = {True: [], False: []}
        self.shares: dict[str, dict[int, float]] = {}
        self.ranges: dict[tuple[QuantizationPoint, bool], PredictedRanges] = {}

    def step(
        self,
        frame: Frame,
        target: Target | None,
        reference: dict[str, Tensor],
        reference_layers: dict[str, Tensor] | None,
    ) -> dict[str, Tensor]:
        """Run one frame and measure it against the floating-point outputs, and its target if it has one."""

        def observe(node: Node, y: Tensor) -> None:
            if reference_layers and node.name in reference_layers:
                self.layers.setdefault(node.name, Sqnr()).update(reference_layers[node.name], y)

        stream = self.stream
        if isinstance(stream, EngineStream):
            if self.meter:
                self.meter.joules()
            start = time.perf_counter()
            output = stream.run(frame)
            self.seconds.append(time.perf_counter() - start)
            if self.meter:
                self.joules.append(self.meter.joules())
            self.work.append(stream.report.work_share)
        elif reference_layers:
            output = stream.run(frame, observe, self._probe if stream.quantized.watched else None)
        else:
            output = stream.run(frame)
        report = stream.report
        bops = frame_bops(self.network, self.scheme, report.is_key, report.bits, report.density)
        self.bops[report.is_key].append(bops)
        for layer, point in self.points.items():
            for width, share in report.bits.get(str(point), {}).items():
                totals = self.shares.setdefault(layer, {})
                totals[width] = totals.get(width, 0.0) + share
        measured: dict[str, Any] = {
            "frame": frame.index,
            "key": report.is_key,
            "gbops": bops / 1e9,
            "sqnr_db": self.sqnr.update(reference[self.primary], output[self.primary]),
        }
        if self.points and isinstance(self.scheme.representation, DenseSparse):
            measured["density"] = self._mean_density(report.density)
        if self.agreement:
            measured["agreement"] = self.agreement.update(reference, output)
        if self.score and target is not None:
            self.scored += 1
            measured["accuracy"] = self.score.update(frame.pixels, output, target)
        self.row.per_frame.append(measured)
        return output

    def _probe(self, point: QuantizationPoint, x: Tensor, source: ActivationGrid, seen: Features) -> None:
        """Note a predicted range beside the one that `Dynamic` would have taken."""
        if not isinstance(source, PredictedGrid):
            return
        predictor = source.predictor
        ranges = self.ranges.get((point, source.symmetric))
        if ranges is None:
            layer = next(layer for layer, at in self.points.items() if at == point)
            average, quality = predictor.average[1], predictor.quality
            ranges = PredictedRanges(layer, source.symmetric, predictor.position, average, quality)
            self.ranges[point, source.symmetric] = ranges
        ranges.predicted.append(predictor(seen)[1])
        measured = self.scheme.range_estimator.measure(x, source.bits, source.symmetric)
        ranges.measured.append(measured[1])

    def _mean_density(self, density: Mapping[str, float]) -> float:
        """A frame's density, weighted by the MACs of the layers that see it."""
        macs, points = self.network.macs, self.points
        total = sum(macs[layer] for layer in points)
        return sum(macs[layer] * density.get(str(point), 0.0) for layer, point in points.items()) / total

    def finish(self) -> Row:
        row = self.row
        key, residual = (sum(b) / len(b) if b else 0.0 for b in (self.bops[True], self.bops[False]))
        seen_residual = bool(self.bops[False])
        row.gbops_per_frame = amortised_bops(key, residual, self.scheme.period if seen_residual else 1) / 1e9
        row.sqnr_db = self.sqnr.result()
        row.agreement = self.agreement.result() if self.agreement else {}
        if self.score and self.scored:
            row.accuracy, row.accuracy_by_label = self.score.result(), self.score.per_label()
        row.layer_sqnr_db = {name: sqnr.result() for name, sqnr in self.layers.items()}
        frames = len(self.bops[False])
        row.layer_shares = {
            layer: {width: total / frames for width, total in sorted(totals.items())}
            for layer, totals in self.shares.items()
        }
        macs = {layer: self.network.macs[layer] for layer in row.layer_shares}
        for layer, shares in row.layer_shares.items():
            for width, share in shares.items():
                row.shares[width] = row.shares.get(width, 0.0) + share * macs[layer] / sum(macs.values())
        row.shares = dict(sorted(row.shares.items()))
        # None are seen where the scheme leaves every layer in floating point.
        densities = [frame["density"] for frame in row.per_frame if "density" in frame]
        if isinstance(self.scheme.representation, DenseSparse) and densities:
            low, high = (float(q) for q in np.quantile(densities, (0.1, 0.9)))
            requested, mean = self.scheme.representation.density, sum(densities) / len(densities)
            row.density = {"requested": requested, "mean": mean, "p10": low, "p90": high}
        row.ranges = list(self.ranges.values())
        if self.work:
            row.frames_per_second = len(self.seconds) / sum(self.seconds)
            row.work_share = sum(self.work) / len(self.work)
        if self.joules:
            row.measured_mj = 1e3 * sum(self.joules) / len(self.joules)
        return row


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

    quantized: from `videoquant.quantize` or a training, all of this network. files: what they were read from,
        "" for what was calibrated here; rows are called so too. frames: a clip, or pictures of any kind
        (`network.frames`); read once, lazily.
    source, calibration: what the results call the frames and the calibration data.
    picture_frames: indexes of frames to draw, where the task is known. stills: the frames are unrelated
        images. score: makes what scores outputs against the targets of `LabelledFrame`s.
    progress: called after every frame. streams: what runs each scheme, `plan.stream()` of the engine or
        `quantized.stream()`; all are simulated by default. engine: what the results call the former.
    chip: simulate the time and energy of every scheme on it, with the shares and densities recorded here.
    Ctrl-C ends it after the frame in hand: what is measured so far is returned, marked incomplete.
    Raises `DataError` where there are no frames.
    """
    task = task_for(network)
    work = workload(network) if chip else None
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
    contenders = [
        _Contender(
            q, stream, comparison, task.agreement() if task else None, score() if score else None, meter
        )
        for q, stream in zip(quantized, streams or [q.stream() for q in quantized], strict=True)
    ]
    comparison.accuracy = score().measures if score else ()
    with deferred_interrupt() as interrupted:
        for number, given in enumerate(frames):
            frame = given if isinstance(given, Frame) else Frame(as_pixels(given), number)
            by_layer = number % LAYER_STEP == LAYER_STEP - 1
            layers: dict[str, Tensor] | None = {} if by_layer else None
            reference = _reference(network, frame, layers)
            target = frame.sample.target if score and isinstance(frame, LabelledFrame) else None
            comparison.labelled += target is not None
            outputs = [contender.step(frame, target, reference, layers) for contender in contenders]
            if task and frame.index in picture_frames:
                comparison.picture_frames.append(frame.index)
                for contender, output in zip(contenders, outputs, strict=True):
                    contender.row.pictures.append(task.draw(frame.pixels, output))
            comparison.frames += 1
            if progress:
                progress()
            if interrupted():
                comparison.complete = False
                break
    if not comparison.frames:
        raise DataError(f"{source}: no frames to score")
    comparison.rows = [contender.finish() for contender in contenders]
    for row, file in zip(comparison.rows, files or [""] * len(comparison.rows), strict=True):
        row.file = file
    if chip and work:
        for row, contender in zip(comparison.rows, contenders, strict=True):
            density = row.density.get("mean")
            row.on_chip = scheme_cost(chip, work, contender.scheme, row.layer_shares, density)
    return comparison


def _reference(network: Network, frame: Frame, layers: dict[str, Tensor] | None) -> dict[str, Tensor]:
    """The floating-point outputs; fills `layers` with every layer's output where it is given."""

    def compute(node: Node, inputs: list[Tensor]) -> Tensor:
        y = network.apply(node, inputs)
        if layers is not None and node.is_layer:
            layers[node.name] = y
        return y

    return network.run(network.prepare(frame), compute)
