"""A comparison in parts, each of which stands for itself: a calibration, or one scheme on one clip.

What was done before is found again; the rest is done one after the other or side by side, with equal results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    def __call__(self, memory: Memory, step: Callable[[], None]) -> QuantizedNetwork | DataError:
        try:
            return quantize(self.network, self.scheme, self.frames, step, self.cache)
        except DataError as error:
            return error


@dataclass(frozen=True, eq=False)
class Scoring:
    """The task that scores one scheme on one clip in simulation; it gives the row."""

    network: Network
    quantized: QuantizedNetwork
    scored: ScoredClip
    stills: bool

    @property
    def name(self) -> str:
        return f"scoring {self.quantized.scheme} on {self.scored.clip.name}"

    def __call__(self, memory: Memory, step: Callable[[], None]) -> Row:
        references = memory.get(self.scored.clip.name, lambda: References(self.network, self.scored))
        found = compare(
            self.network,
            [self.quantized],
            references,
            self.scored.clip.name,
            picture_frames=self.scored.picture_frames,
            stills=self.stills,
            score=self.scored.score,
            progress=step,
            outputs=references.outputs,
        )
        if not found.complete:
            raise KeyboardInterrupt
        return found.rows[0]


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
    cache: a folder where rows that were measured before are found, and else put.
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
        of_clip = rows[done[0]][clips[0].clip.name]
        scored_frames = {frame["frame"] for frame in of_clip.per_frame}
        comparison.picture_frames = [i for i in clips[0].picture_frames if i in scored_frames]
    if chip:
        add_chip(comparison.rows, network, [quantized[number].scheme for number in done], chip)
    return comparison


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
    rows: list[dict[str, Row]] = [{} for _ in quantized]
    places: list[tuple[int, str]] = []
    tasks: list[Scoring] = []
    keys: list[tuple[KeptRows, str] | None] = []
    for scored in clips:  # all schemes of a clip, then the next one: a clip is read once
        name = scored.clip.name
        known = None if cache is None else KeptRows(cache, network, scored, stills)
        for number, one in enumerate(quantized):
            task = Scoring(network, one, scored, stills)
            key = None if known is None else (known, known.key(one))
            found = key and key[0].find(key[1])
            if found:
                rows[number][name] = found
                _advance(progress, task.name, scored.count)
            else:
                places.append((number, name))
                tasks.append(task)
                keys.append(key)
    for index, row in run(tasks, progress):
        number, name = places[index]
        rows[number][name] = row
        if key := keys[index]:
            key[0].keep(key[1], row)
    # In the order of the clips, whichever was done first.
    return [{s.clip.name: row[s.clip.name] for s in clips if s.clip.name in row} for row in rows]
