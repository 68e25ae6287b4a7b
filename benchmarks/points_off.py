"""Where a frame scheme loses: each quantizer of activations left out in turn.

    python -m benchmarks.points_off NETWORK SOURCE [--boxes FAMILY] [--size HxW] [--scheme w8a8] [--draw 0]
        [--inputs 16] [--scored 24]

SOURCE, the inputs that calibrate and those that are scored are `nncf_w8a8`'s. For every quantizer, the task's
measure without it, SQNR of the first output, and how much closer the outputs come by the mean over channels
(`calibration.output_error.gain`), in which sides of boxes do not drown their scores; most gain first. Last,
without any of activations.
"""

import argparse
import warnings

import numpy as np
import torch

import videoquant as vq
from benchmarks.nncf_w8a8 import halves, score
from videoquant.calibration.output_error import channel_errors, exact_runs, gain
from videoquant.cli.sizes import parse_size
from videoquant.ranges.sources import Unquantized
from videoquant.simulate.parameters import PointGrids
from videoquant.simulate.quantized import QuantizedNetwork


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network")
    parser.add_argument("source")
    parser.add_argument("--boxes")
    parser.add_argument("--size")
    parser.add_argument("--scheme", default="w8a8")
    parser.add_argument("--draw", type=int, default=0)
    parser.add_argument("--inputs", type=int, default=16)
    parser.add_argument("--scored", type=int, default=24)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    size = parse_size(options.size, "--size") if options.size else None
    said = {"boxes": options.boxes} if options.boxes else {}
    network = vq.load(options.network, size=size, preprocessing=said)
    calibrating, rest = halves(options.source)
    inputs = [
        network.prepare(rest[i])
        for i in np.linspace(0, len(rest) - 1, min(options.scored, len(rest))).astype(int)
    ]
    random = np.random.default_rng(options.draw)
    picks = random.choice(len(calibrating), min(options.inputs, len(calibrating)), replace=False)
    quantized = vq.quantize(network, options.scheme, [network.prepare(calibrating[i]) for i in sorted(picks)])
    off = PointGrids(Unquantized())
    grids = quantized.grids
    with torch.no_grad():
        runs = exact_runs(network, [[x] for x in inputs])
        before = channel_errors(quantized, runs)

        def row(words, grids):
            changed = QuantizedNetwork(quantized.network, quantized.scheme, quantized.weights, grids)
            found = score(network, inputs, [exact for _, exact in runs], changed.stream().run)
            return gain(channel_errors(changed, runs), before), found, words

        rows = [row(point.value, {**grids, point: off}) for point in grids]
        tell(row(str(quantized.scheme), grids))
        for each in sorted(rows, reverse=True, key=lambda each: each[0]):
            tell(each)
        tell(row("no quantizer of activations", dict.fromkeys(grids, off)))


def tell(row):
    decibels, (sqnr, measure), words = row
    said = "" if measure is None else f"  measure {measure:.3f}"
    print(f"{decibels:+6.2f} dB by channel  SQNR {sqnr:6.2f} dB{said}  {words}", flush=True)


if __name__ == "__main__":
    main()
