"""Whether mode exact gives the bits of mode frame, on networks, schemes and videos drawn at random.

    python benchmarks/exact_equals_frame.py [--count N] [--seed N]
    python benchmarks/exact_equals_frame.py --network FILE --video CLIP [--frames N] [--schemes "w8a8; …"]

Every network runs in mode frame on each instruction set of this CPU and, where its scheme has that, in mode
exact, by its own pace and always following; and in simulation, where nothing in it is defined only to within
rounding. Three of ten begin with convolution, activation, pool. Ends with exit code 1 at the first difference
and says which network, scheme and frame it was: `--seed S --count 1` draws that one again. 1,000 networks
take about a quarter of an hour of one core.
With --network, one that is not drawn, calibrated on the clip's first frames and compared on the next.
"""

import argparse
import itertools
import sys
import time
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # what draws the networks is the tests'

import videoquant as vq
from tests.engine.same_bits import check, first_difference
from videoquant.errors import CalibrationWarning

CALIBRATION = 32
POOLED_OF_TEN = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--network")
    parser.add_argument("--video")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--schemes", default="w8a8; w8a8 dynamic; w8a8 qpp")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", CalibrationWarning)  # a clamp may hide all motion
    if options.network:
        compare_network(options)
    else:
        compare_drawn(options.seed, options.count)


def compare_network(options: argparse.Namespace) -> None:
    network = vq.load(options.network)
    frames = list(itertools.islice(vq.frames(options.video), CALIBRATION + options.frames))
    for text in options.schemes.split(";"):
        quantized = vq.quantize(network, text.strip(), frames[:CALIBRATION])
        found = first_difference(quantized, frames[CALIBRATION:], threads=2)
        print(f"{network.name}, {quantized.scheme}: {found or 'the same bits'}", flush=True)
        if found:
            sys.exit(1)


def compare_drawn(seed: int, count: int) -> None:
    start, said, pooled = time.monotonic(), 0.0, 0
    for done in range(count):
        case = check(seed + done, (seed + done) % 10 < POOLED_OF_TEN)
        if case.difference:
            print(case)
            sys.exit(1)
        pooled += case.pooled
        seconds = time.monotonic() - start
        if seconds - said > 20 or done + 1 == count:
            said = seconds
            print(
                f"{done + 1} networks, {pooled} of them begin with a pool: the same bits, {seconds:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
