"""One clip's benchmark, from calibration to rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from videoquant.bench.bars import Bar, no_bar
from videoquant.bench.engine_config import Prepared
from videoquant.bench.engines import BenchmarkSpec, build
from videoquant.bench.interleaved import run_interleaved
from videoquant.bench.memory import peak_memory_mb
from videoquant.bench.result import Benchmark
from videoquant.bench.spans import Spans, positions
from videoquant.calibration.sampling import cut, run_length
from videoquant.data.video import Clip
from videoquant.network.graph import Network
from videoquant.schemes import Scheme

MEMORY_FRAMES = 5  # that are run where memory is measured


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
) -> None:
    """Measure the engines on the spans of a clip and add their rows to the benchmark.

    modes: those of videoquant's own engine.
    say: called with a line as each part of the work begins.
    bar: shows the parts that take long.
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
        say(f"{clip.name}: measuring memory")
        few = [Prepared.of(network, frame.pixels) for frame in clip.runs([range(MEMORY_FRAMES)])]
        memory = [peak_memory_mb(config, few, threads) for config in configs]
    overlap = "none of them timed" if spans.disjoint else "some of them timed too: the clip is short"
    benchmark.calibration[clip.name] = f"{sum(map(len, runs))} frames of the clip, {overlap}"
    benchmark.frames[clip.name] = [clip.index_at(i) for i in positions(spans.timed)][: len(samples[0].ms)]
    benchmark.add(clip.name, samples, memory)
