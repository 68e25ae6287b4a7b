"""The measurement: every engine runs frame i before any runs i + 1, so that all meet the same machine.

A slow spell of the machine then strikes all of them alike, and ratios of times of one frame are free of it.
The order is drawn anew for each frame, so that none always runs after the same other.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from videoquant.bench.engine_config import EngineConfig, Prepared, Runner
from videoquant.data.video import Frame
from videoquant.network.float_stream import FloatStream
from videoquant.network.graph import Network
from videoquant.stopwatch import WARM_UP, settle, timed
from videoquant.tasks import task_for
from videoquant.tasks.agreement import Agreement, agreement_for
from videoquant.torch_settings import threads_of_pytorch


@dataclass
class Samples:
    """What one engine, in one of its ways, did on every timed frame.

    ms: its time.
    work: its share of a dense frame's work.
    agreement: the task's measures against the floating-point network.
    as_frame: the same measures against the same engine's mode "frame"; empty where there is none to compare.
    identical: whether every output of every frame, warm-up too, equals that of mode "frame", bit for bit.
    """

    config: EngineConfig
    runner: Runner
    ms: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    agreement: dict[str, float] = field(default_factory=dict)
    as_frame: dict[str, float] = field(default_factory=dict)
    identical: bool | None = None


def run_interleaved(
    network: Network,
    configs: Sequence[EngineConfig],
    frames: Iterable[Frame],
    spans: Sequence[range],
    threads: int,
    progress: Callable[[], None] = lambda: None,
) -> list[Samples]:
    """Run engines side by side over the frames.

    frames: those of the spans, one after the other, `WARM_UP` of each only to get going.
        States go on from one span to the next, of every engine and of the reference.
    threads: of PyTorch, which computes the floating-point reference; engines have been told theirs.
    progress: called after every frame.
    """
    task = task_for(network)
    samples = [Samples(config, config.open()) for config in configs]
    scores, beside = ([agreement_for(task) if task else None for _ in samples] for _ in range(2))
    order, floating = random.Random(0), FloatStream(network)
    counts = itertools.chain.from_iterable(map(_counts, spans))
    with threads_of_pytorch(threads):
        for frame, counted in zip(frames, counts, strict=False):
            prepared = Prepared.of(network, frame.pixels)
            with torch.no_grad():
                reference = floating.feed(prepared.x)
            outputs: dict[int, dict[str, Tensor]] = {}
            for index in order.sample(range(len(samples)), len(samples)):
                runner = samples[index].runner
                laid_out = runner.lay_out(prepared)  # which is not timed
                settle()
                outputs[index], ms = timed(partial(runner.run, laid_out))
                if counted:
                    samples[index].ms.append(ms)
                    samples[index].work.append(runner.report.work_share)
            for index, whole in _whole_frames(samples, outputs).items():
                same = all(torch.equal(outputs[index][name], y) for name, y in whole.items())
                samples[index].identical = same and samples[index].identical is not False
                _update(beside[index], whole, outputs[index], counted)
            for index, score in enumerate(scores):
                _update(score, reference, outputs[index], counted)
            progress()
    for one, score, other in zip(samples, scores, beside, strict=True):
        one.agreement = score.result() if score else {}
        one.as_frame = other.result() if other and other.frames else {}
    return samples


def _counts(span: range) -> list[bool]:
    """Whether each frame of a span is timed."""
    return [place >= WARM_UP for place in range(len(span))]


def _update(
    score: Agreement | None, reference: dict[str, Tensor], outputs: dict[str, Tensor], counted: bool
) -> None:
    if score and counted:
        score.update(reference, outputs)


def _whole_frames(
    samples: Sequence[Samples], outputs: dict[int, dict[str, Tensor]]
) -> dict[int, dict[str, Tensor]]:
    """What mode "frame" of the same engine gave, for each of the other modes."""
    whole = {
        (one.config.engine, one.config.precision): outputs[index]
        for index, one in enumerate(samples)
        if one.config.mode == "frame"
    }
    keys = {index: (one.config.engine, one.config.precision) for index, one in enumerate(samples)}
    return {
        index: whole[key]
        for index, key in keys.items()
        if key in whole and samples[index].config.mode != "frame"
    }
