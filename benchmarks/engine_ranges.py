"""What ranges cost a whole network in the engine: static, predicted and dynamic ones, frame by frame.

    python benchmarks/engine_ranges.py NETWORK --video CLIP [--bits w8a8] [--size HxW] [--checkpoint FILE]
        [--frames N] [--rounds N] [--threads N] [--json F]

The streams of one network take their turns on the same frames, in changing order. The ratio is the median
over frames of what each takes beyond the static scheme, over the static median, so that slow spells of the
machine do not count.
"""

import argparse
import itertools
import json
import random
import statistics
import time
from pathlib import Path

import torch

import videoquant as vq
from videoquant.cli.sizes import parse_size
from videoquant.engine import lower

RANGES = ("", " qpp", " dynamic")
WARM_UP = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network")
    parser.add_argument("--video", required=True)
    parser.add_argument("--bits", default="w8a8")
    parser.add_argument("--size", metavar="HxW")
    parser.add_argument("--checkpoint")
    parser.add_argument("--frames", type=int, default=14)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)  # PyTorch's waiting threads would take the engine's cores
    size = parse_size(options.size, "--size") if options.size else None
    network = vq.load(options.network, checkpoint=options.checkpoint, size=size)
    frames = list(itertools.islice(vq.frames(options.video), options.frames))
    inputs = [network.prepare(frame) for frame in frames]
    streams = {}
    for ranges in RANGES:
        plan = lower(vq.quantize(network, options.bits + ranges, inputs))
        streams[options.bits + ranges] = plan.stream("frame", options.threads)
    seconds: dict[str, list[float]] = {scheme: [] for scheme in streams}
    order = random.Random(0)
    for turn in range(WARM_UP + options.rounds * len(inputs)):
        for scheme in order.sample(list(streams), len(streams)):
            start = time.perf_counter()
            streams[scheme].run(inputs[turn % len(inputs)])
            if turn >= WARM_UP:
                seconds[scheme].append(time.perf_counter() - start)
    static = seconds[options.bits]
    base = statistics.median(static)
    rows = []
    for scheme, taken in seconds.items():
        more = statistics.median(b - a for a, b in zip(static, taken, strict=True))
        rows.append({"scheme": scheme, "ms_median": 1e3 * statistics.median(taken), "ratio": 1 + more / base})
        print(f"{scheme:16s} {rows[-1]['ms_median']:8.2f} ms  {rows[-1]['ratio']:.3f}×")
    if options.json:
        told = {"network": network.name, "threads": options.threads, "rows": rows}
        options.json.write_text(json.dumps(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
