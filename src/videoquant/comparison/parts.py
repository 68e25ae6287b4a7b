"""A comparison in parts, each of which stands for itself: a calibration, or one scheme on a piece of a clip.

What was done before is found again; the rest is done one after the other or side by side, with equal results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from videoquant.api import quantize
from videoquant.calibration.calibrate import walks
from videoquant.comparison.collector import AnyStream
from videoquant.comparison.kept_rows import KeptRows
from videoquant.comparison.loop import add_chip, compare, passed
from videoquant.comparison.over_clips import over_clips
from videoquant.comparison.references import Piece, References, ScoredClip
from videoquant.comparison.results import Comparison, Row
from videoquant.comparison.row import row_of
from videoquant.comparison.seen import Seen, together
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
    """The task that scores one scheme on pieces of a clip in simulation; it gives what was seen on each.

    cache: a folder where a piece that was measured before is found, and else put.
    """

    network: Network
    quantized: QuantizedNetwork
    scored: ScoredClip
    pieces: tuple[Piece, ...]
    stills: bool
    cache: Path | None

    @property
    def name(self) -> str:
        return f"scoring {self.quantized.scheme} on {self.scored.clip.name}"

    @property
    def reads(self) -> str:
        return f"{self.scored.clip.name} {self.pieces[0].first}"

    def __call__(self, memory: Memory, step: Callable[[], None]) -> list[Seen]:
        references: References
        known: KeptRows | None
        references, known = memory.get(self.reads, self._read)
        return [self._seen(piece, references, known, step) for piece in self.pieces]

    def _seen(
        self, piece: Piece, references: References, known: KeptRows | None, step: Callable[[], None]
    ) -> Seen:
        key = known.key(self.quantized, piece) if known else ""
        seen = known.find(key) if known else None
        if seen:
            for _ in seen.per_frame:
                step()
            return seen
        (collector,), complete = passed(
            self.network,
            [self.quantized],
            references.frames(piece),
            self.scored.picture_frames,
            self.scored.score,
            step,
            inputs=references.input,
            outputs=references.outputs,
            first=piece.first,
        )
        if not complete:
            raise KeyboardInterrupt
        seen = collector.end()
        if known and seen.per_frame:
            known.keep(key, seen)
        return seen

    def _read(self) -> tuple[References, KeptRows | None]:
        spans = tuple(span for piece in self.pieces for span in piece.spans)
        references = References(self.network, replace(self.scored, spans=spans))
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
    cycle = math.lcm(*(one.scheme.period for one in quantized))
    goes_on = bool(network.states) or any(one.scheme.regions for one in quantized)
    tasks, of = [], []
    for scored in clips:
        pieces = tuple(scored.pieces(cycle, goes_on))
        # In one process a clip is read once, for all its pieces.
        for some in [pieces] if run is one_by_one else [(piece,) for piece in pieces]:
            for number, one in enumerate(quantized):
                tasks.append(Scoring(network, one, scored, some, stills, cache))
                of.append((scored.clip.name, number))
    found: dict[int, list[Seen]] = dict(run(tasks, progress))
    task = task_for(network)
    rows: list[dict[str, Row]] = []
    for number, one in enumerate(quantized):
        rows.append({})
        for scored in clips:
            places = [place for place, whose in enumerate(of) if whose == (scored.clip.name, number)]
            if all(place in found for place in places):
                seen = together([piece for place in places for piece in found[place]])
                if not seen.per_frame:
                    raise DataError(f"{scored.clip.name}: no frames to score")
                rows[-1][scored.clip.name] = row_of(one, seen, task)
    return rows
