"""One clip's benchmark, from calibration to rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from videoquant.bench.bars import Bar, no_bar
from videoquant.bench.engine_config import Prepared
from videoquant.bench.engines import BenchmarkSpec, build
from videoquant.bench.interleaved import run_interleaved
from videoquant.bench.limits import Limits
from videoquant.bench.memory import peak_memory_mb
from videoquant.bench.profile import profile
from videoquant.bench.result import Benchmark
from videoquant.bench.scaling import ROUNDS, scale, ways
from videoquant.bench.spans import Spans, positions
from videoquant.calibration.sampling import cut, run_length
from videoquant.data.video import Clip, Frame
from videoquant.engine import load_plan
from videoquant.network.graph import Network
from videoquant.schemes import Scheme
from videoquant.stopwatch import WARM_UP

MEMORY_FRAMES = 5  # that are run where memory is measured
PROFILED_FRAMES = 30
SCALED_FRAMES = 60


def bench_clip(
    benchmark: Benchmark,
    network: Network,
    engines: Sequence[str],
    scheme: Scheme,
    modes: Sequence[str],
    clip: Clip,
    spans: Spans,
    say: Callable[[str], None],
    bar: Bar = no_bar,
    limits: Limits | None = None,
    scaled: bool = False,
) -> None:
    """Measure the engines on the spans of a clip and add their rows to the benchmark.

    modes: those of videoquant's own engine.
    say: called with a line as each part of the work begins.
    bar: shows the parts that take long.
    limits: of the machine; where they are given, the operators of videoquant's own engine are timed too.
    scaled: also time it on more threads and streams.
    """
    threads = benchmark.threads
    runs = cut(network, clip.runs(spans.ranges), run_length(network, scheme))
    with TemporaryDirectory(prefix="videoquant-bench-") as folder:
        say(f"{clip.name}: quantizing for {', '.join(engines)}")
        spec = BenchmarkSpec(network, runs, scheme, modes, threads, Path(folder))
        configs = build(engines, spec)
        say(f"{clip.name}: timing")
        with bar("timing", sum(len(span) for span in spans.timed)) as advance:
            samples = run_interleaved(network, configs, clip.runs(spans.timed), spans.timed, threads, advance)
        if limits:
            say(f"{clip.name}: timing operators")
            arrays = [as_hwc(network.prepare(frame)) for frame in _first(clip, spans, PROFILED_FRAMES)]
            plan = load_plan(spec.plan_file)
            benchmark.profiles[clip.name] = profile(plan, arrays, threads, limits)
        if scaled:
            say(f"{clip.name}: timing threads and streams")
            prepared = [network.prepare(frame) for frame in _first(clip, spans, SCALED_FRAMES)]
            cores, mode = benchmark.machine.cores, modes[0]
            with bar("threads and streams", ROUNDS * len(ways(cores))) as advance:
                plan = load_plan(spec.plan_file)
                benchmark.scaling[clip.name] = scale(plan, mode, prepared, cores, advance)
        say(f"{clip.name}: measuring memory")
        few = [Prepared.of(network, frame.pixels) for frame in clip.runs([range(MEMORY_FRAMES)])]
        memory = [peak_memory_mb(config, few, threads) for config in configs]
    overlap = "none of them timed" if spans.disjoint else "some of them timed too: the clip is short"
    benchmark.calibration[clip.name] = f"{sum(map(len, runs))} frames of the clip, {overlap}"
    benchmark.frames[clip.name] = [clip.index_at(i) for i in positions(spans.timed)][: len(samples[0].ms)]
    benchmark.add(clip.name, samples, memory)


def _first(clip: Clip, spans: Spans, count: int) -> list[Frame]:
    """The first of the frames that are timed, and as many as get an engine going."""
    return list(islice(clip.runs(spans.timed), count + WARM_UP))


def as_hwc(x: Tensor) -> NDArray[np.float32]:
    """A network's input 1×C×H×W as the engine's sessions take it."""
    return np.ascontiguousarray(x[0].permute(1, 2, 0).numpy())
