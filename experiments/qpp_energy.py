"""Energy of one convolution: fp16, int8 with dynamic ranges, and Dense + Sparse (QPP, supplement, Table B.5).

    python experiments/qpp_energy.py

The convolution 3×3, 64 → 64 channels, on 56×56, on the chip "cortex-a76": its energies are published
constants (see its file), none is fitted to this table. Only relative figures are compared: the paper's mAh
are of an unknown number of runs. Writes results/qpp_energy.json.
"""

import torch
from common import store

import videoquant as vq
from videoquant.costs.chip import Chip
from videoquant.costs.chip_file import open_chip
from videoquant.costs.simulator import frame_cost
from videoquant.costs.workload import Workload, workload

PAPER_MAH = {"float16": 0.603, "dynamic int8": 0.295, "dynamic D(int8)+S(float16), 1%": 0.355}
SCHEMES = {
    "dynamic int8": "w8a8 dynamic",
    "dynamic D(int8)+S(float16), 1%": "w8a8 dynamic ds=1%",
}


def main() -> None:
    chip = open_chip("cortex-a76")
    conv = torch.nn.Conv2d(64, 64, 3, padding=1)
    work = workload(vq.capture(conv, (torch.zeros(1, 64, 56, 56),)))
    joules = {"float16": half_joules(chip, work)}
    for name, scheme in SCHEMES.items():
        joules[name] = float(frame_cost(chip, work, vq.Scheme.parse(scheme), True).joules.sum())
    results = {
        name: {
            "mj": 1e3 * value,
            "percent": 100 * value / joules["float16"],
            "paper_percent": 100 * PAPER_MAH[name] / PAPER_MAH["float16"],
        }
        for name, value in joules.items()
    }
    for name, row in results.items():
        print(f"{name:32s} {row['mj']:.3f} mJ  {row['percent']:5.1f}%  paper {row['paper_percent']:5.1f}%")
    store("qpp_energy", {"chip": chip.name, "source": chip.source, "rows": results})


def half_joules(chip: Chip, work: Workload) -> float:
    """In 16-bit floating point throughout, which no scheme is: two bytes per weight, input and output."""
    assert chip.energy is not None
    on_chip = 2 * (work.weights + work.inputs + work.outputs)  # its activations of 0.4 MB fit into the buffer
    joules = work.macs * chip.energy.mac[16, 16] + on_chip * chip.energy.buffer_byte
    return float((joules + 2 * work.weights * chip.energy.byte).sum())


if __name__ == "__main__":
    main()
