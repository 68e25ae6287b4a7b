"""What simulation costs: frame and residual quantization against the floating-point network, in one process.

    python benchmarks/simulation.py NETWORK --video CLIP [--frames N] [--json F]

Every frame goes through each contender in turn, so that all see the same machine. The baseline is plain
PyTorch: the captured graph's operators, channels last (its faster layout), nothing around them. Also timed:
the grid's own fake quantization against PyTorch's fused operator, on the network's largest activation.
"""

import argparse
import itertools
import json
import statistics
from functools import partial
from pathlib import Path

import torch

import videoquant as vq
from videoquant.quantizers.on_grid import fake_quantize
from videoquant.ranges.grid import Grid
from videoquant.stopwatch import WARM_UP, timed

SCHEMES = (
    "w8a8",
    "w4a4",
    "w8a8->w4a4 T=3",
    "w8a8->w8a4 T=3 recurrent",
    "w8a8->w8a8 T=3 adaptive",
    "w8a8 dynamic",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network")
    parser.add_argument("--video", required=True)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    network = vq.load(options.network)
    clip = vq.frames(options.video)
    inputs = [network.prepare(frame) for frame in itertools.islice(clip, options.frames)]
    contenders = {"fp32 (plain PyTorch)": network.run}
    for text in SCHEMES:
        contenders[text] = vq.quantize(network, text, clip).stream().run
    times = {name: [] for name in contenders}
    for x in inputs:
        for name, run in contenders.items():
            times[name].append(timed(partial(run, x))[1])

    rows = []
    base = statistics.median(times["fp32 (plain PyTorch)"][WARM_UP:])
    print(f"{network.name}, {torch.get_num_threads()} threads, {len(inputs) - WARM_UP} frames")
    for name, values in times.items():
        values = sorted(values[WARM_UP:])
        median, p95 = statistics.median(values), values[int(0.95 * len(values))]
        rows.append({"scheme": name, "ms_median": median, "ms_p95": p95, "ratio_to_fp32": median / base})
        print(f"  {name:28s} {median:8.1f} ms   p95 {p95:8.1f} ms   {median / base:5.2f}×")

    x = torch.rand(max(network.shapes.values(), key=lambda s: torch.Size(s).numel()))
    grid = Grid.affine(0, 1, 8)
    fused = torch.fake_quantize_per_tensor_affine
    arguments = (x, grid.scale, grid.zero_point, grid.low, grid.high)
    ways = partial(fake_quantize, x, grid), partial(fused, *arguments)
    pairs = [[timed(way)[1] for way in ways] for _ in range(20)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"  fake quantization of {tuple(x.shape)}: {ours:.2f} ms; PyTorch's fused operator {theirs:.2f} ms")
    if options.json:
        options.json.write_text(json.dumps({"network": network.name, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
