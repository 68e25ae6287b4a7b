"""What a benchmark found: a row per engine and way of running it, and its JSON form."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from videoquant.bench.engine_config import label
from videoquant.bench.interleaved import Samples
from videoquant.bench.line import Line, fit_line
from videoquant.bench.machine import Machine
from videoquant.bench.profile import Profile
from videoquant.bench.scaling import Scaling
from videoquant.tasks import Measure

FORMAT = 1  # raised when a reader of the JSON form would have to change


@dataclass
class Row:
    """One engine in one of its ways, on one clip; times in milliseconds per frame.

    ms_spread: between the quartiles.
    ratio_to_openvino_int8: the median over frames of OpenVINO int8's time
        over this one's for the same frame, above 1 where this is faster; None where OpenVINO did not run.
    percent_of_ceiling: multiply–accumulates of a dense frame per second, of what the CPU's int8 instruction
        can do at most; a mode that skips work may pass 100.
    peak_memory_mb: see `memory`.
    stream_memory_mb: what the engine says its stream holds.
    work_share: mean over the frames.
    agreement: the task's measures against fp32.
    as_frame: of modes that skip, the task's measures against mode "frame".
    identical: of modes that skip, whether all outputs are those of mode "frame".
    int8_share: of the convolutions, those in int8, where the engine tells.
    ms, work: of every timed frame.
    line: of a mode that skips, time against work.
    """

    clip: str
    engine: str
    mode: str
    precision: str
    ms_median: float
    ms_p95: float
    ms_spread: float
    ratio_to_openvino_int8: float | None
    percent_of_ceiling: float
    peak_memory_mb: float | None
    stream_memory_mb: float | None
    work_share: float
    agreement: dict[str, float]
    as_frame: dict[str, float]
    identical: bool | None
    int8_share: float | None
    ms: list[float]
    work: list[float]
    line: Line | None = None

    @property
    def label(self) -> str:
        return label(self.engine, self.precision, self.mode)


@dataclass
class Benchmark:
    """A network's rows on every clip.

    macs: of a dense frame.
    vnni_ceiling: int8 multiply–accumulates per second, measured.
    calibration: in words, by clip.
    frames: which were timed, by clip.
    notes: what was left out, and why.
    profiles: by clip, of videoquant's own engine; where they were asked for.
    scaling: the same, of more threads and streams.
    """

    network: str
    scheme: str
    threads: int
    macs: int
    vnni_ceiling: float
    machine: Machine
    measures: tuple[Measure, ...]
    calibration: dict[str, str] = field(default_factory=dict)
    frames: dict[str, list[int]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)
    scaling: dict[str, list[Scaling]] = field(default_factory=dict)

    def add(self, clip: str, samples: Sequence[Samples], memory: Sequence[float | None]) -> None:
        """Append a row for each. memory: their peaks, in the same order."""
        baseline = next((one.ms for one in samples if one.config.label == "openvino int8"), None)
        dense = {
            (one.config.engine, one.config.precision): statistics.median(one.ms)
            for one in samples
            if one.config.mode == "frame"
        }
        for one, peak in zip(samples, memory, strict=True):
            row = self._row(clip, one, baseline, peak)
            whole = dense.get((row.engine, row.precision))
            if row.mode != "frame" and whole is not None:
                row.line = fit_line(row.work, row.ms, whole)
            self.rows.append(row)

    def _row(self, clip: str, one: Samples, baseline: list[float] | None, peak: float | None) -> Row:
        config, held = one.config, one.runner.report.memory_bytes
        median = statistics.median(one.ms)
        low, high, p95 = (float(q) for q in np.quantile(one.ms, (0.25, 0.75, 0.95)))
        ratios = [theirs / ours for theirs, ours in zip(baseline or [], one.ms, strict=bool(baseline))]
        rate = self.macs / median * 1e3
        return Row(
            clip=clip,
            engine=config.engine,
            mode=config.mode,
            precision=config.precision,
            ms_median=median,
            ms_p95=p95,
            ms_spread=high - low,
            ratio_to_openvino_int8=statistics.median(ratios) if ratios else None,
            percent_of_ceiling=100 * rate / self.vnni_ceiling,
            peak_memory_mb=peak,
            stream_memory_mb=None if held is None else held / 2**20,
            work_share=statistics.fmean(one.work),
            agreement=one.agreement,
            as_frame=one.as_frame,
            identical=one.identical,
            int8_share=one.runner.int8_share,
            ms=one.ms,
            work=one.work,
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        data = {"format": FORMAT, **asdict(self)}
        data["measures"] = [measure.name for measure in self.measures]
        return data
