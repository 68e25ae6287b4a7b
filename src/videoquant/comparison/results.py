"""What a comparison gives: a row per scheme, and what they have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any

from videoquant.comparison.layer_inputs import LayerInput
from videoquant.costs.chip import Chip
from videoquant.costs.simulator import SchemeCost
from videoquant.markup import table
from videoquant.tasks import Measure
from videoquant.tasks.sqnr import EXACT_DB

LAYER_STEP = 5  # every fifth frame is measured layer by layer: a step that meets every offset of T = 2, 3, 4


@dataclass
class PredictedRanges:
    """The upper ends of one quantizer's ranges; of a residual, and of a threshold, they are the whole range.

    layer: the first that reads it.
    residual: whether on residual frames.
    position: the value its predictor reads.
    average: the static one.
    quality: of the predictor, on calibration samples left out (`Predictor`).
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

    scheme: its text.
    gbops_per_frame: 10⁹ bit operations, averaged over an endless film (`amortised_bops`).
    sqnr_db: of the primary output against fp32, over the whole stream; at most `EXACT_DB`.
    agreement: the task's measures against fp32, by name.
    accuracy: measures against the labels of a data set, by name.
    accuracy_by_label: the first of those, by class or joint.
    per_frame: a dict per frame: frame (index), key, gbops, sqnr_db; agreement where there is a task,
        density of Dense + Sparse, accuracy where the frame has a label, clip (name) where there are several.
    layer_sqnr_db: by layer. In simulation, on every `LAYER_STEP`-th frame.
    shares: of adaptive schemes, by bit-width, the share of the MACs over the residual frames. In simulation.
    layer_shares: the same by layer.
    density: of Dense + Sparse, the one "requested", and "mean", "p10" and "p90" over frames of what was
        measured. A frame's is its mean over the MACs.
    ranges: of schemes that predict ranges, what was predicted and what would have been measured. In
        simulation, on every `LAYER_STEP`-th frame.
    layer_inputs: by layer, the range of its input, what is clipped, and which residuals are 0. As
        `layer_sqnr_db`.
    layer_density: of Dense + Sparse, the mean over frames by layer.
    computed: with regions, of each frame whether it is a keyframe, and by layer the share that was computed.
    pictures: JPEG: the outputs drawn on the frames at `Comparison.drawn`.
    frames_per_second: of an engine, from a frame to its outputs, timed as `bench` times (`stopwatch.py`): the
        first `WARM_UP` frames do not count where there are more. None in simulation.
    work_share: of the integer engine, the mean over frames of `FrameReport.work_share`. None elsewhere.
    file: what the quantized network was read from; "" where it was calibrated here.
    measured_mj: millijoules of the CPU per frame, where an engine ran it and the machine exposes them.
    on_chip: what the scheme takes on the comparison's chip.
    clips: of several clips, the row of each, by its name; then the measures here are their means.
    """

    scheme: str
    gbops_per_frame: float = 0.0
    sqnr_db: float = EXACT_DB
    agreement: dict[str, float] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    accuracy_by_label: dict[str, float | None] = field(default_factory=dict, repr=False)
    per_frame: list[dict[str, Any]] = field(default_factory=list, repr=False)
    layer_sqnr_db: dict[str, float] = field(default_factory=dict, repr=False)
    shares: dict[int, float] = field(default_factory=dict)
    layer_shares: dict[str, dict[int, float]] = field(default_factory=dict, repr=False)
    density: dict[str, float] = field(default_factory=dict)
    ranges: list[PredictedRanges] = field(default_factory=list, repr=False)
    layer_inputs: dict[str, LayerInput] = field(default_factory=dict, repr=False)
    layer_density: dict[str, float] = field(default_factory=dict, repr=False)
    computed: list[tuple[bool, dict[str, float]]] = field(default_factory=list, repr=False)
    pictures: list[bytes] = field(default_factory=list, repr=False)
    frames_per_second: float | None = None
    work_share: float | None = None
    file: str = ""
    measured_mj: float | None = None
    on_chip: SchemeCost | None = None
    clips: dict[str, Row] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The scheme, and the file where it was read from one."""
        return f"{self.scheme} ({self.file})" if self.file else self.scheme


@dataclass
class Comparison:
    """What `compare` found.

    network, source: the names of the network and of the frames.
    task: what the outputs mean; None where that is unknown.
    measures: the task's, in the order of columns.
    primary: the output whose SQNR is given.
    rows: one per scheme.
    calibration: which data calibrated, in words.
    frames: how many were scored.
    drawn: the places in `Row.per_frame` of the frames that are drawn.
    stills: whether the frames are unrelated images.
    accuracy: the measures against labels, where there are any.
    labelled: how many frames have a label.
    complete: False where the user stopped it; then every row holds the same first frames.
    engine: what ran the rows that have a `frames_per_second`; None where all were simulated.
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
    drawn: list[int] = field(default_factory=list)
    stills: bool = False
    accuracy: tuple[Measure, ...] = ()
    labelled: int = 0
    complete: bool = True
    engine: str | None = None
    chip: Chip | None = None

    @property
    def clips(self) -> tuple[str, ...]:
        """The names of the clips, () where there is but one."""
        return tuple(self.rows[0].clips) if self.rows else ()

    @property
    def runner(self) -> str:
        """What a reader calls the engine."""
        named = {None: "simulation", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
        return named.get(self.engine) or f"the integer engine in mode {self.engine}"

    def _repr_html_(self) -> str:
        """The table as a notebook shows it: cost, SQNR, and the measures against fp32 and labels."""
        told = [(m, m.label, "agreement") for m in self.measures]
        told += [(m, f"{m.label} (labels)", "accuracy") for m in self.accuracy]
        rows = []
        for row in self.rows:
            db = "exact" if row.sqnr_db >= EXACT_DB else f"{row.sqnr_db:.1f}"
            found = [getattr(row, place).get(measure.name) for measure, _, place in told]
            values = [
                "–" if value is None else f"{value:.{measure.digits}f}"
                for value, (measure, _, _) in zip(found, told, strict=True)
            ]
            rows.append([row.name, f"{row.gbops_per_frame:.4g}", db, *values])
        labels = [" ".join(filter(None, (label, measure.unit))) for measure, label, _ in told]
        shown = table(["scheme", "GBOPs per frame", "SQNR dB", *labels], rows)
        return f"<strong>{escape(self.network)} on {escape(self.source)}</strong>{shown}"
