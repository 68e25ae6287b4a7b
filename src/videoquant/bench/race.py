"""The measurement: every contender runs frame i before any runs i + 1, so that all meet the same machine.

A slow spell of the machine then strikes all of them alike, and ratios of times of one frame are free of it.
The order is drawn anew for each frame, so that none always runs after the same other.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from videoquant.bench.contender import Contender, Runner
from videoquant.bench.spans import WARM_UP
from videoquant.data.video import Frame
from videoquant.network.graph import Network
from videoquant.tasks import Agreement, task_for

# Threads of the contender before are asleep by then: engines let theirs wait busily for a millisecond or so.
PAUSE = 0.003


@dataclass
class Laps:
    """What one contender did on every timed frame.

    ms: its time. work: its share of a dense frame's work. agreement: the task's measures against the
    floating-point network. identical: whether every output of every frame, warm-up too, equals that of the
    same engine's mode "frame", bit for bit; None where there is none to compare.
    """

    contender: Contender
    runner: Runner
    ms: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    agreement: dict[str, float] = field(default_factory=dict)
    identical: bool | None = None


def race(
    network: Network,
    contenders: Sequence[Contender],
    frames: Iterable[Frame],
    timed: Sequence[range],
    threads: int,
    progress: Callable[[], None] = lambda: None,
) -> list[Laps]:
    """Run contenders side by side over the frames.

    frames: those of the spans `timed`, one after the other, `WARM_UP` of each only to get going.
    threads: of PyTorch, which computes the floating-point reference; contenders have been told theirs.
    progress: called after every frame.
    """
    torch.set_num_threads(threads)
    task = task_for(network)
    laps = [Laps(contender, contender.open()) for contender in contenders]
    scores: list[Agreement | None] = [task.agreement() if task else None for _ in laps]
    order = random.Random(0)
    counts = itertools.chain.from_iterable(map(_counts, timed))
    for frame, counted in zip(frames, counts, strict=False):
        x = network.prepare(frame)
        with torch.no_grad():
            reference = network.run(x)
        outputs: dict[int, dict[str, Tensor]] = {}
        for index in order.sample(range(len(laps)), len(laps)):
            outputs[index], ms = _lap(laps[index].runner, x)
            if counted:
                laps[index].ms.append(ms)
                laps[index].work.append(laps[index].runner.report.work_share)
        _compare_modes(laps, outputs)
        if counted:
            for index, score in enumerate(scores):
                if score:
                    score.update(reference, outputs[index])
        progress()
    for lap, score in zip(laps, scores, strict=True):
        lap.agreement = score.result() if score else {}
    return laps


def _counts(span: range) -> list[bool]:
    """Whether each frame of a span is timed."""
    return [place >= WARM_UP for place in range(len(span))]


def _lap(runner: Runner, x: Tensor) -> tuple[dict[str, Tensor], float]:
    """The outputs for an input, and the milliseconds they took. Laying out the input is not timed."""
    x = x.contiguous(memory_format=runner.layout)
    time.sleep(PAUSE)
    start = time.perf_counter()
    outputs = runner.run(x)
    return outputs, (time.perf_counter() - start) * 1e3


def _compare_modes(laps: Sequence[Laps], outputs: dict[int, dict[str, Tensor]]) -> None:
    """Note whether the modes of an engine gave what its mode "frame" gave."""
    whole = {
        (lap.contender.engine, lap.contender.precision): outputs[index]
        for index, lap in enumerate(laps)
        if lap.contender.mode == "frame"
    }
    for index, lap in enumerate(laps):
        reference = whole.get((lap.contender.engine, lap.contender.precision))
        if lap.contender.mode != "frame" and reference is not None:
            same = all(torch.equal(outputs[index][name], y) for name, y in reference.items())
            lap.identical = same and lap.identical is not False
