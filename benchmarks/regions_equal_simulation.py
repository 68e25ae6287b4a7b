"""Whether streams with regions give the simulation's bits, on networks, videos and regions drawn at random.

    python benchmarks/regions_equal_simulation.py [--count N] [--seed N]

Every network runs in mode regions on each instruction set of this CPU, by one to three threads, and in
simulation; outputs and counts of work must be equal. Where something in a network is defined only to within
rounding, the instruction sets are compared with each other. Three of four have regions that are drawn: some
blocks, none, all, whole frames, and stretches of them as of a moving camera; the others ask the gate. Ends
with exit code 1 at the first difference and says which network, scheme and frame it was: `--seed S --count 1`
draws that one again.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # what draws the networks is the tests'

from tests.engine.region_bits import check
from videoquant.errors import CalibrationWarning


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", CalibrationWarning)  # a clamp may hide all motion
    start, said, defined = time.monotonic(), 0.0, 0
    for done in range(options.count):
        case = check(options.seed + done)
        if case.difference:
            print(case)
            sys.exit(1)
        defined += case.defined
        seconds = time.monotonic() - start
        if seconds - said > 20 or done + 1 == options.count:
            said = seconds
            print(
                f"{done + 1} networks, {defined} beside the simulation: the same bits, {seconds:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
