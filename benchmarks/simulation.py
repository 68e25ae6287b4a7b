"""What simulation costs: each scheme against the floating-point network, and where a comparison's time goes.

    python -m benchmarks.simulation NETWORK --video CLIP [--schemes "w8a8; …"] [--frames N] [--json F]

NETWORK: an ONNX file, or a network's name, whose weights are random where none ship; --size HxW.

First, every frame goes through each contender in turn, so that all see the same machine. The baseline is
plain PyTorch: the captured graph's operators, channels last (its faster layout), nothing around them.

Then the same schemes are compared as `videoquant compare` does it, and its time is split: decoding; preparing
(resizing, scaling); the network itself, as often as it runs, each time as long as in plain PyTorch;
quantization, which is what a scheme's stream takes beyond that; and scoring: the task's measures, SQNR, those
by layer.
"""

import argparse
import itertools
import json
import statistics
from functools import partial
from pathlib import Path
from time import perf_counter

import torch

import videoquant as vq
from videoquant.cli.networks import open_network
from videoquant.comparison.collector import Collector
from videoquant.comparison.references import reference
from videoquant.comparison.results import LAYER_STEP
from videoquant.network.float_stream import FloatStream
from videoquant.simulate.stream import Stream
from videoquant.stopwatch import WARM_UP, timed
from videoquant.tasks import primary_output, task_for
from videoquant.tasks.agreement import agreement_for

SCHEMES = "w8a8; w4a4; w8a8->w4a4 T=3; w8a8->w8a4 T=3 recurrent; w8a8->w8a8 T=3 adaptive; w8a8 dynamic"
CALIBRATION = 8  # frames: what is learnt from them costs a frame nothing


class TimedStream(Stream):
    """A stream that adds up how long its frames take, from the network's input on. seconds: so far."""

    seconds = 0.0

    def feed(self, *given, **words):
        start = perf_counter()
        outputs = super().feed(*given, **words)
        self.seconds += perf_counter() - start
        return outputs


def by_turns(network, quantized, inputs):
    """Milliseconds of every frame, by contender."""
    contenders = {"fp32 (plain PyTorch)": network.run}
    contenders |= {text: one.stream().run for text, one in quantized.items()}
    times = {name: [] for name in contenders}
    with torch.no_grad():
        for x in inputs:
            for name, run in contenders.items():
                times[name].append(timed(partial(run, x))[1])
    return {name: values[WARM_UP:] for name, values in times.items()}


def shares(network, quantized, clip, count):
    """Seconds of a comparison by what they went to."""
    task = task_for(network)
    streams = [TimedStream(one) for one in quantized.values()]
    collectors = [
        Collector(one, stream, primary_output(network), agreement_for(task) if task else None, None, None)
        for one, stream in zip(quantized.values(), streams, strict=True)
    ]
    exact, spent, frames = (
        FloatStream(network),
        dict.fromkeys(("decoding", "preparing", "network"), 0.0),
        iter(clip),
    )
    total = 0.0
    for number in range(count):
        frame, ms = timed(partial(next, frames))
        spent["decoding"] += ms / 1e3
        x, ms = timed(partial(network.prepare, frame))
        spent["preparing"] += ms / 1e3
        spent["network"] += timed(partial(network.run, x))[1] / 1e3 * (len(streams) + 1)
        layers = {} if number % LAYER_STEP == LAYER_STEP - 1 else None
        found = reference(exact, frame, x, layers)
        start = perf_counter()
        for collector in collectors:
            collector.step(frame, x, None, found, layers)
        total += perf_counter() - start
    of_one = len(streams) / (len(streams) + 1)
    in_streams = sum(stream.seconds for stream in streams)
    spent["quantization"] = in_streams - spent["network"] * of_one
    spent["scoring"] = total - in_streams
    return spent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network")
    parser.add_argument("--video", required=True)
    parser.add_argument("--size", help="HxW")
    parser.add_argument("--schemes", default=SCHEMES)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    network = open_network(options.network, size=options.size)
    clip = vq.frames(options.video)
    inputs = [network.prepare(frame) for frame in itertools.islice(clip, options.frames)]
    texts = [text.strip() for text in options.schemes.split(";")]
    quantized = {text: vq.quantize(network, text, inputs[:CALIBRATION]) for text in texts}

    times = by_turns(network, quantized, inputs)
    rows = []
    print(f"{network.name}, {torch.get_num_threads()} threads, {len(inputs) - WARM_UP} frames")
    for name, values in times.items():
        median, p95 = statistics.median(values), sorted(values)[int(0.95 * len(values))]
        ratio = statistics.median(a / b for a, b in zip(values, times["fp32 (plain PyTorch)"], strict=True))
        rows.append({"scheme": name, "ms_median": median, "ms_p95": p95, "ratio_to_fp32": ratio})
        print(f"  {name:28s} {median:8.1f} ms   p95 {p95:8.1f} ms   {ratio:5.2f}×")

    spent = shares(network, quantized, clip, len(inputs))
    all_of_it = sum(spent.values())
    words = ", ".join(f"{name} {seconds / all_of_it:.1%}" for name, seconds in spent.items())
    print(f"  a comparison of {len(texts)} schemes: {words}")
    if options.json:
        shown = {"network": network.name, "rows": rows, "comparison_seconds": spent}
        options.json.write_text(json.dumps(shown, indent=1))


if __name__ == "__main__":
    main()
