"""How fast the accelerator simulator is: many layers by many schemes, CPU seconds of one thread.

    python benchmarks/chip_simulator.py [--layers N]

A sweep asks it for every scheme. The layers are drawn at random; of a layer's residual channels half are
skipped, a quarter has 4 bits and a quarter 8, which adaptive schemes may have.
"""

import argparse
import time

import numpy as np

from videoquant import Scheme
from videoquant.costs.chip_file import open_chip
from videoquant.costs.simulator import scheme_cost
from videoquant.costs.workload import Workload

SCHEMES = [
    Scheme.parse(f"w{w}a{a}->w{w}a4 T={period}")
    for w in (2, 4, 6, 8)
    for a in (4, 5, 6, 7, 8)
    for period in range(2, 7)
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=1000)
    layers = parser.parse_args().layers
    sizes = np.random.default_rng(0).integers(1, 10**6, (7, layers)).astype(float)
    ends = [np.arange(layers) == 0, np.arange(layers) == layers - 1]
    work = Workload(tuple(map(str, range(layers))), *ends, *sizes)
    shares = {name: {0: 0.5, 4: 0.25, 8: 0.25} for name in work.names}
    chip = open_chip("resq-accelerator")
    start = time.process_time()
    for scheme in SCHEMES:
        scheme_cost(chip, work, scheme, shares)
    taken = time.process_time() - start
    print(f"{layers} layers by {len(SCHEMES)} schemes: {taken:.2f} s")


if __name__ == "__main__":
    main()
