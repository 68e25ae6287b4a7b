"""What it costs to know the range of an activation: of layers (QPP supplement, Table A.1) and of frames.

    python benchmarks/range_cost.py [--network NETWORK --video CLIP] [--repeats N] [--threads N] [--json F]

All times are medians within one process where every contender takes its turn, so that all see the same
machine. Where a job can be done in several ways, all of them run and the fastest is printed. Layers are set
against the int8 convolution that reads the activation; quantizing it is the pass that a dynamic scheme cannot
fuse with the layer before. Frames are set against floating-point inference: plain PyTorch, channels last.
"""

import argparse
import itertools
import json
import math
import platform
import re
import statistics
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch

import videoquant as vq
from videoquant.bench.ranges import CHANNELS, PAPER
from videoquant.quantizers.on_grid import codes
from videoquant.ranges.estimators import MinMax, Quantile
from videoquant.ranges.estimators.quantile import upper_quantile
from videoquant.ranges.features import PAPER_FEATURES, features
from videoquant.ranges.grid import Grid
from videoquant.ranges.predictor import Predictor
from videoquant.stopwatch import WARM_UP, timed

ALPHA = Quantile().alpha
BINS = 1000  # a quantile read off the histogram is at most one bin away, 0.1% of the range
SCHEMES = ("w8a4 qpp=5 at=first-relu", "w8a4 qpp")


def race(title, turns, base, paper=()):
    """Print the median time of every job's fastest way; return all ways, with their share of the job `base`.

    turns: {job: {way: function}}, as often as is to be measured. paper: percentages to print beside, by job.
    """
    times = {}
    for turn in turns:
        for job, ways in turn.items():
            for way, function in ways.items():
                times.setdefault((job, way), []).append(timed(function)[1])
    rows = [{"job": j, "way": w, "ms": statistics.median(taken[WARM_UP:])} for (j, w), taken in times.items()]
    unit = fastest(rows, base)
    print(f"{title}: percent of the {base} ({unit['way']})")
    for row in rows:
        row["percent"] = 100 * row["ms"] / unit["ms"]
        if row is fastest(rows, row["job"]):
            beside = f"   paper {paper[row['job']]:3d}%" if row["job"] in paper else ""
            print(f"  {row['job']:20s} {row['way']:24s} {row['ms']:9.3f} ms {row['percent']:7.1f}%{beside}")
    return rows


def fastest(rows, *jobs):
    return min((row for row in rows if row["job"] in jobs), key=lambda row: row["ms"])


def as_it_lies(x):
    """The elements as a flat tensor in the order of memory, so that a channels-last x need not be copied."""
    last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return (x.permute(0, 2, 3, 1) if last else x).flatten()


def torch_min_max(x):
    return tuple(float(end) for end in torch.aminmax(as_it_lies(x)))


def numpy_min_max(x):
    values = as_it_lies(x).numpy()
    return float(values.min()), float(values.max())


def tail(x):
    return upper_quantile(as_it_lies(x).numpy(), ALPHA)


def sort(x):
    """The same number as `tail`; NumPy's sort is vectorised, PyTorch's is not."""
    order = np.sort(as_it_lies(x).numpy())
    rank = ALPHA * (len(order) - 1)
    below = math.floor(rank)
    low, high = float(order[below]), float(order[min(below + 1, len(order) - 1)])
    return low + (high - low) * (rank - below)


def histogram(x):
    """The upper edge of the bin that holds the element of rank ⌊α·(n − 1)⌋."""
    low, high = numpy_min_max(x)
    passed = as_it_lies(x).histc(BINS, low, high).cumsum(0)
    found = int(torch.searchsorted(passed, math.floor(ALPHA * (x.numel() - 1)), right=True))
    return low + (found + 1) * (high - low) / BINS


def int8_convolutions(codes, weight):
    """The convolution by every engine that PyTorch has on this machine; codes: quint8, weight: float32."""
    scales, zeros = weight.abs().amax((1, 2, 3)) / 127, torch.zeros(len(weight), dtype=torch.int64)
    weight = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
    ways = {}
    for engine in torch.backends.quantized.supported_engines:
        if engine != "none":
            torch.backends.quantized.engine = engine  # packing binds the weights to it
            packed = torch.ops.quantized.conv2d_prepack(weight, None, [1, 1], [1, 1], [1, 1], 1)
            ways[engine] = partial(torch.ops.quantized.conv2d, codes, packed, 0.05, 128)
    return ways


def layer(size, repeats):
    """An activation size×size×64 after a ReLU, and the 3×3 convolution that reads it."""
    random = torch.Generator().manual_seed(size)
    x = torch.randn(1, CHANNELS, size, size, generator=random).relu()
    x = x.contiguous(memory_format=torch.channels_last)
    weight = torch.randn(CHANNELS, CHANNELS, 3, 3, generator=random) / 24
    weight = weight.contiguous(memory_format=torch.channels_last)
    grid = Grid.affine(0.0, float(x.max()), 8)
    quantize = partial(torch.quantize_per_tensor, x, grid.scale, grid.zero_point, torch.quint8)
    slopes = (0.1,) * len(PAPER_FEATURES), (0.2,) * len(PAPER_FEATURES)  # any will do: they cost the same
    predictor = Predictor("x", PAPER_FEATURES, slopes, (0.0, 0.0), (-1.0, 0.0), (0.1, 9.0), (0.0, 4.0), 1.0)
    jobs = {
        "int8 convolution": int8_convolutions(quantize(), weight),
        "fp32 convolution": {"torch": partial(torch.nn.functional.conv2d, x, weight, padding=1)},
        "QPP": {"features and a prediction": lambda: predictor({"x": features(x.numpy(), PAPER_FEATURES)})},
        "min/max": {"torch": partial(torch_min_max, x), "numpy": partial(numpy_min_max, x)},
        "quantize": {"torch": quantize, "codes": partial(codes, x, grid)},
        "quantile": {"sorted tail": partial(tail, x)},
        "quantile, sorted": {"numpy sort": partial(sort, x)},
        "quantile, binned": {f"torch, {BINS} bins": partial(histogram, x)},
    }
    turns = itertools.repeat(jobs, WARM_UP + repeats)
    rows = race(f"{size}×{size}×{CHANNELS}", turns, "int8 convolution", PAPER[size])
    exact, binned = fastest(rows, "quantile", "quantile, sorted"), fastest(rows, "quantile, binned")
    low, high = numpy_min_max(x)
    error = abs(histogram(x) - tail(x)) / (high - low)
    print(
        f"  The faster exact quantile ({exact['way']}) takes {exact['ms'] / binned['ms']:.2f}× the time of"
        f" {BINS} bins, which are {error:.3%} of the range off (at most {1 / BINS:.1%})"
    )
    return {"size": size, "rows": rows, "histogram_error": error, "histogram_error_bound": 1 / BINS}


def predict(watched, predictors, values):
    """A frame's QPP: the features at all positions, then all predictions."""
    seen = {value: look.extract(values[value], None) for value, look in watched.items()}
    return [predictor(seen) for predictor in predictors]


def frames(path, video, repeats):
    """A network's frames: inference, and what the ranges of all quantizers cost beside it."""
    network, clip = vq.load(path), vq.frames(video)
    quantized = {text: vq.quantize(network, text, clip) for text in SCHEMES}
    points = list(quantized[SCHEMES[0]].grids)  # the same for both

    def turn(frame):
        x = network.prepare(frame)
        values = {network.input: x}

        def keep(node, inputs):
            values[node.name] = network.apply(node, inputs)
            return values[node.name]

        network.run(x, keep)

        def each(measure):
            return lambda: [measure(values[point.value]) for point in points]

        jobs = {"fp32 inference": {"plain PyTorch": partial(network.run, x)}}
        for text, q in quantized.items():
            grids = [pair.key for pair in q.grids.values()]
            predictors = [grid.predictor for grid in grids if grid.predictor]
            way = f"{len(q.watched)} QPPs, {len(predictors)} ranges"
            jobs[text] = {way: partial(predict, q.watched, predictors, values)}
        jobs["dynamic min/max"] = {
            "MinMax": each(lambda value: MinMax().measure(value.numpy(), 4, False)),
            "numpy": each(numpy_min_max),
        }
        jobs["dynamic quantile"] = {
            "Quantile": each(lambda value: Quantile().measure(value.numpy(), 4, False)),
            "numpy sort": each(sort),
        }
        return jobs

    turns = (turn(frame) for frame in itertools.islice(clip, WARM_UP + repeats))
    rows = race(f"{network.name}, {len(points)} quantizers", turns, "fp32 inference")
    print("  QPP should take at most 2% on posenet_432x768")
    return {"network": network.name, "quantizers": len(points), "rows": rows}


def processor():
    """The CPU's name as Linux knows it, else as Python does."""
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network")
    parser.add_argument("--video", help="the network is calibrated and runs on it")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if bool(options.network) != bool(options.video):
        parser.error("--network and --video need each other")
    torch.set_num_threads(options.threads)
    # The baseline is PyTorch's own int8 kernels for as long as it has them.
    warnings.filterwarnings("ignore", message="torch.quantize_per_tensor.*deprecated")
    found = {"cpu": processor(), "threads": options.threads, "torch": torch.__version__}
    print(f"{found['cpu']}, {options.threads} threads, PyTorch {torch.__version__}")
    with torch.no_grad():
        found["layers"] = [layer(size, options.repeats) for size in PAPER]
        if options.network:
            found["frames"] = frames(options.network, options.video, options.repeats)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
