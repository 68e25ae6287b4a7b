"""A comparison in parts, each of which stands for itself: a calibration, or one scheme on one clip.

What was done before is found again; the rest is done one after the other or side by side, with equal results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from videoquant.api import quantize
from videoquant.calibration.calibrate import walks
from videoquant.comparison.collector import AnyStream
from videoquant.comparison.kept_rows import KeptRows
from videoquant.comparison.loop import add_chip, compare
from videoquant.comparison.over_clips import over_clips
from videoquant.comparison.references import References, ScoredClip
from videoquant.comparison.results import Comparison, Row
from videoquant.comparison.workers import Memory, Progress, Runner, one_by_one
from videoquant.costs.chip import Chip
from videoquant.data.clip import Frame
from videoquant.errors import DataError
from videoquant.network.graph import Network
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import primary_output, task_for


@dataclass(frozen=True, eq=False)
class Calibration:
    """The task that calibrates a scheme; it gives the network, or the `DataError` of too few frames."""

    network: Network
    scheme: Scheme
    frames: Sequence[Frame]
    cache: Path | None

    @property
    def name(self) -> str:
        return f"calibrating {self.scheme}"

    @property
    def steps(self) -> int:
        return len(self.network.nodes) * walks(self.scheme)

    @property
    def reads(self) -> str:
        return ""  # its frames come with it

    def __call__(self, memory: Memory, step: Callable[[], None]) -> QuantizedNetwork | DataError:
        try:
            return quantize(self.network, self.scheme, self.frames, step, self.cache)
        except DataError as error:
            return error


@dataclass(frozen=True, eq=False)
class Scoring:
    """The task that scores one scheme on one clip in simulation; it gives the row.

    cache: a folder where a row that was measured before is found, and else put.
    """

    network: Network
    quantized: QuantizedNetwork
    scored: ScoredClip
    stills: bool
    cache: Path | None

    @property
    def name(self) -> str:
        return f"scoring {self.quantized.scheme} on {self.reads}"

    @property
    def reads(self) -> str:
        return self.scored.clip.name

    def __call__(self, memory: Memory, step: Callable[[], None]) -> Row:
        references: References
        known: KeptRows | None
        references, known = memory.get(self.reads, self._read)
        key = known.key(self.quantized) if known else ""
        row = known.find(key) if known else None
        if row:
            for _ in range(self.scored.count):
                step()
            return row
        found = compare(
            self.network,
            [self.quantized],
            references,
            self.scored.clip.name,
            picture_frames=self.scored.picture_frames,
            stills=self.stills,
            score=self.scored.score,
            progress=step,
            inputs=references.input,
            outputs=references.outputs,
        )
        if not found.complete:
            raise KeyboardInterrupt
        if known:
            known.keep(key, found.rows[0])
        return found.rows[0]

    def _read(self) -> tuple[References, KeptRows | None]:
        references = References(self.network, self.scored)
        if self.cache is None:
            return references, None
        return references, KeptRows(self.cache, self.network, references, self.stills)


def compare_clips(
    network: Network,
    quantized: Sequence[QuantizedNetwork],
    clips: Sequence[ScoredClip],
    calibration: str,
    stills: bool,
    progress: Progress,
    run: Runner = one_by_one,
    cache: Path | None = None,
    streams: Sequence[AnyStream] | None = None,
    engine: str | None = None,
    chip: Chip | None = None,
    files: Sequence[str] | None = None,
) -> Comparison:
    """Score calibrated schemes on clips, as `compare` does on one.

    clips: with names of their own.
    progress: called once for every frame, scheme and clip.
    run: what runs the tasks.
    cache: as of `Scoring`.
    streams: what runs the schemes; then all take turns, frame by frame, so that times are of one moment, and
        nothing is kept. By default they are simulated.

    After Ctrl-C the comparison has what is done, and is marked incomplete: the first frames of all streams,
    else those schemes whose row is whole. Raises `KeyboardInterrupt` where none is, and `DataError` where a
    clip has no frames.
    """
    task = task_for(network)
    complete = True
    if streams:
        rows, complete = _by_turns(network, quantized, clips, stills, progress, streams)
    else:
        rows = _by_scheme(network, quantized, clips, stills, progress, run, cache)
    done = [number for number, of_clips in enumerate(rows) if len(of_clips) == len(clips)]
    if streams and not complete:
        done = list(range(len(rows)))
    if not done:
        raise KeyboardInterrupt
    comparison = Comparison(
        network.name,
        ", ".join(scored.clip.name for scored in clips),
        task.name if task else None,
        task.measures if task else (),
        primary_output(network),
        calibration=calibration,
        stills=stills,
        accuracy=tuple(dict.fromkeys(m for clip in clips if clip.score for m in clip.score().measures)),
        complete=complete and len(done) == len(quantized),
        engine=engine,
        chip=chip,
    )
    for number in done:
        row = over_clips(rows[number]) if len(clips) > 1 else rows[number][clips[0].clip.name]
        row.file = files[number] if files else ""
        comparison.rows.append(row)
    first = comparison.rows[0]
    comparison.frames = len(first.per_frame)
    comparison.labelled = sum("accuracy" in frame for frame in first.per_frame)
    if first.pictures:
        comparison.drawn = _drawn(rows[done[0]], clips)
    if chip:
        add_chip(comparison.rows, network, [quantized[number].scheme for number in done], chip)
    return comparison


def _drawn(of_clips: Mapping[str, Row], clips: Sequence[ScoredClip]) -> list[int]:
    """The places of the frames that are drawn, the frames of all clips one clip after the other."""
    places, before = [], 0
    for scored in clips:
        frames = of_clips[scored.clip.name].per_frame
        places += [before + i for i, frame in enumerate(frames) if frame["frame"] in scored.picture_frames]
        before += len(frames)
    return places


def _by_turns(
    network: Network,
    quantized: Sequence[QuantizedNetwork],
    clips: Sequence[ScoredClip],
    stills: bool,
    progress: Progress,
    streams: Sequence[AnyStream],
) -> tuple[list[dict[str, Row]], bool]:
    """The rows on each clip of all schemes side by side, and whether all clips are done."""
    rows: list[dict[str, Row]] = [{} for _ in quantized]
    for scored in clips:
        for stream in streams:
            stream.reset()
        found = compare(
            network,
            quantized,
            scored.clip.runs(scored.spans),
            scored.clip.name,
            picture_frames=scored.picture_frames,
            stills=stills,
            score=scored.score,
            progress=partial(_advance, progress, f"scoring {scored.clip.name}", len(quantized)),
            streams=streams,
        )
        for of_clips, row in zip(rows, found.rows, strict=True):
            of_clips[scored.clip.name] = row
        if not found.complete:
            return rows, False
    return rows, True


def _advance(progress: Progress, name: str, times: int) -> None:
    for _ in range(times):
        progress(name)


def _by_scheme(
    network: Network,
    quantized: Sequence[QuantizedNetwork],
    clips: Sequence[ScoredClip],
    stills: bool,
    progress: Progress,
    run: Runner,
    cache: Path | None,
) -> list[dict[str, Row]]:
    """The rows on each clip, a scheme at a time, without those that Ctrl-C has prevented."""
    # All schemes of a clip, then the next one: a clip is read once.
    tasks = [Scoring(network, one, scored, stills, cache) for scored in clips for one in quantized]
    found: dict[int, Row] = dict(run(tasks, progress))
    return [
        {
            scored.clip.name: found[place]
            for place, scored in zip(range(number, len(tasks), len(quantized)), clips, strict=True)
            if place in found
        }
        for number in range(len(quantized))
    ]
