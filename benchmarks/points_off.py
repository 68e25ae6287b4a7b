"""Where a frame scheme loses: each quantizer of activations left out in turn.

    python -m benchmarks.points_off NETWORK SOURCE [--boxes FAMILY] [--size HxW] [--scheme w8a8] [--draw 0]
        [--inputs 16] [--scored 24]

SOURCE, the inputs that calibrate and those that are scored are `nncf_w8a8`'s. For every quantizer, the task's
measure without it, SQNR of the first output, and how much closer the outputs come by the mean over channels
(`calibration.output_error.gain`), in which sides of boxes do not drown their scores; most gain first. Last,
without any of activations.
"""

import torch

import videoquant as vq
from benchmarks.nncf_w8a8 import arguments, drawn, opened, score
from videoquant.calibration.output_error import channel_errors, exact_runs, gain
from videoquant.ranges.sources import Unquantized
from videoquant.simulate.parameters import PointGrids
from videoquant.simulate.quantized import QuantizedNetwork


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--scheme", default="w8a8")
    parser.add_argument("--draw", type=int, default=0)
    options = parser.parse_args()
    network, calibrating, inputs = opened(options)
    fitted = drawn(network, calibrating, options.inputs, options.draw)
    quantized = vq.quantize(network, options.scheme, fitted)
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
