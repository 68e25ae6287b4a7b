"""Gates and regions side by side on one clip: every way runs every frame, one after the other."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from videoquant.bench.engine_config import Prepared
from videoquant.bench.gates import Way
from videoquant.data.video import Frame
from videoquant.network.graph import Network
from videoquant.runtime.outputs import for_user
from videoquant.stopwatch import WARM_UP, settle
from videoquant.tasks import task_for
from videoquant.tasks.agreement import Agreement, agreement_for
from videoquant.tasks.detection.detector import Detection
from videoquant.tasks.detection.tracks_kept import TracksKept
from videoquant.torch_settings import threads_of_pytorch


@dataclass
class GatingRow:
    """A way on one clip, on average over the frames that count.

    cpu_ms: CPU time of all threads, gate and scaling of pixels included. ms: as a clock has it.
    frames_share: of the frames, those of which anything was computed. pixels_share: of pixels computed.
    agreement: the task's measures against floating point. as_frame: against every frame computed.
    boxes, boxes_found: of a detector, how many floating point shows, and the share of them that is found.
    found_per_cpu_second: those found, over the CPU time of all frames.
    tracks, tracks_kept: how many things floating point follows, and the share that stays in sight
        (`tasks.detection.tracks_kept`); None where there are none.
    """

    clip: str
    method: str
    setting: str
    is_default: bool
    cpu_ms: float
    ms: float
    frames_share: float
    pixels_share: float
    agreement: dict[str, float]
    as_frame: dict[str, float]
    boxes: int | None = None
    boxes_found: float | None = None
    found_per_cpu_second: float | None = None
    tracks: int | None = None
    tracks_kept: float | None = None


@dataclass
class _Seen:
    way: Way
    cpu: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    kept: TracksKept = field(default_factory=TracksKept)

    def boxes(self) -> dict[str, Any]:
        """What a row says of a detector's boxes."""
        kept = self.kept.result()
        return {
            "boxes": kept.boxes,
            "boxes_found": kept.found / kept.boxes if kept.boxes else None,
            "found_per_cpu_second": kept.found / (sum(self.cpu) / 1e3),
            "tracks": kept.tracks,
            "tracks_kept": kept.kept / kept.tracks if kept.tracks else None,
        }


def gate_clip(
    network: Network,
    ways: Sequence[Way],
    name: str,
    frames: Iterable[Frame],
    threads: int,
    progress: Callable[[], None] = lambda: None,
) -> list[GatingRow]:
    """Run every way on every frame, in changing order, and sum up. The first `WARM_UP` frames do not count.

    name: of the clip. threads: of PyTorch, which computes in floating point.
    """
    task = task_for(network)
    seen = [_Seen(way) for way in ways]
    scores, beside = ([agreement_for(task) if task else None for _ in ways] for _ in range(2))
    order = random.Random(0)
    with threads_of_pytorch(threads):
        for index, frame in enumerate(frames):
            prepared = Prepared.of(network, frame.pixels)
            with torch.no_grad():
                reference = network.run(prepared.x)
            outputs = {}
            for place in order.sample(range(len(ways)), len(ways)):
                one = seen[place]
                assert prepared.picture is not None
                settle()
                cpu, start = time.process_time(), time.perf_counter()
                found, share = one.way.run(prepared.picture)
                taken = time.perf_counter() - start, time.process_time() - cpu
                outputs[place] = for_user(found)
                if index >= WARM_UP:
                    one.ms.append(1e3 * taken[0])
                    one.cpu.append(1e3 * taken[1])
                    one.shares.append(share)
            if index >= WARM_UP:
                for place in range(len(ways)):
                    _update(scores[place], reference, outputs[place])
                    _update(beside[place], outputs[0], outputs[place])
                    if isinstance(task, Detection):
                        seen[place].kept.update(task.found(reference), task.found(outputs[place]))
            progress()
    return [
        GatingRow(
            clip=name,
            method=one.way.method,
            setting=one.way.setting,
            is_default=one.way.is_default,
            cpu_ms=statistics.fmean(one.cpu),
            ms=statistics.fmean(one.ms),
            frames_share=statistics.fmean(share > 0 for share in one.shares),
            pixels_share=statistics.fmean(one.shares),
            agreement=score.result() if score else {},
            as_frame=other.result() if other else {},
            **(one.boxes() if isinstance(task, Detection) else {}),
        )
        for one, score, other in zip(seen, scores, beside, strict=True)
    ]


def _update(
    score: Agreement | None, reference: dict[str, torch.Tensor], outputs: dict[str, torch.Tensor]
) -> None:
    if score:
        score.update(reference, outputs)
