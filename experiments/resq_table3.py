"""Simulated run times on a low-power fixed-point accelerator (ResQ, supplement, Table 3).

    python experiments/resq_table3.py

A chip is fitted to the four figures of one network and predicts the four of the other, both ways; then to all
eight, and to seven of them to predict the eighth. DDRNet-23-slim at 1024×2048 (Cityscapes),
HRNet-w32 at 256×256 (JHMDB). Weights are random: times do not depend on them. Writes results/resq_table3.json
and .png, and the chip fitted to all eight figures, src/videoquant/costs/chips/resq-accelerator.toml.
"""

from dataclasses import replace
from pathlib import Path

from common import dress, figure, save, store

import videoquant as vq
from videoquant.costs.chip import Chip, Energy, precision_text
from videoquant.costs.chip_file import write_chip
from videoquant.costs.fit import Measurement, errors, fit_chip, leave_one_out
from videoquant.costs.workload import workload
from videoquant.models.loading import capture_model

PAPER = {
    "ddrnet23_slim": {"w8a8": 3.52, "w4a8": 2.76, "w8a4": 2.43, "w4a4": 1.96},
    "hrnet_w32_pose": {"w8a8": 0.93, "w4a8": 0.68, "w8a4": 0.72, "w4a4": 0.49},
}
SIZES = {"ddrnet23_slim": (1024, 2048), "hrnet_w32_pose": (256, 256)}
PARAMETERS = ("peak", "gain", "bandwidth", "buffer")  # as many as a network has figures
# Channels in and out: Qualcomm's matrix units take 32, as TVM's layout for them (nhwc-8h8w32c) says.
ARRAY = (32, 32)
OTHER_ARRAYS = ((16, 16), (64, 64))
# By Horowitz, see COMMENT.
ENERGY = Energy(
    {(w, a): (0.2 * w * a / 64 + 0.1) * 1e-12 for w in (8, 4) for a in (8, 4)}, 162.5e-12, 12.5e-12
)
SHIPPED = Path(__file__).parents[1] / "src/videoquant/costs/chips/resq-accelerator.toml"
COMMENT = """The low-power fixed-point accelerator of the ResQ paper's Table 3 (supplement), a simulator of a
future Snapdragon NPU, as far as its eight run times tell: peak, gain, bandwidth and buffer are fitted to
them by experiments/resq_table3.py, which reports the errors. The array is an assumption: Qualcomm's matrix
units take 32 channels, as TVM's layout for them says (nhwc-8h8w32c). Overhead per layer cannot be told apart
from the rest and is left at 0.
Energy: Horowitz, "Computing's energy problem", ISSCC 2014, Figure 1.1.9 (45 nm): int8 multiply 0.2 pJ, add
to int32 0.1 pJ, 8 bytes from a cache of 1 MB 100 pJ, from DRAM 1.3 nJ; a multiplier's energy is taken to grow
with the product of its bit-widths. A newer process takes less: ratios mean more than millijoules."""


def main() -> None:
    rows = {name: measurements(name) for name in PAPER}
    every = [row for group in rows.values() for row in group]
    start = chip(ARRAY)
    results: dict = {"parameters": PARAMETERS, "array": ARRAY, "paper_ms": PAPER}
    for name, group in rows.items():
        fitted = fit_chip(start, group, PARAMETERS)
        other = next(n for n in rows if n != name)
        results[f"fitted_on_{name}"] = {
            "chip": numbers(fitted),
            "errors_fitted": percent(fitted, group),
            "errors_predicted": percent(fitted, rows[other]),
            "predicted_ms": times(fitted, rows[other]),
            "order_right": order(times(fitted, rows[other])) == order(PAPER[other]),
        }
        print(name, results[f"fitted_on_{name}"], flush=True)
    fitted = fit_chip(start, every, PARAMETERS)
    results["fitted_on_both"] = {
        "chip": numbers(fitted),
        "ms": {name: times(fitted, group) for name, group in rows.items()},
        "errors": {name: percent(fitted, group) for name, group in rows.items()},
    }
    left_out = leave_one_out(start, every, PARAMETERS)
    results["leave_one_out_errors"] = {
        name: dict(zip(PAPER[name], [round(100 * e, 1) for e in left_out[i * 4 : i * 4 + 4]], strict=True))
        for i, name in enumerate(rows)
    }
    print(results["fitted_on_both"], results["leave_one_out_errors"], flush=True)
    results["other_arrays"] = {str(list(array)): largest_errors(array, rows) for array in OTHER_ARRAYS}
    print(results["other_arrays"], flush=True)
    store("resq_table3", results)
    write_chip(replace(fitted, energy=ENERGY), SHIPPED, COMMENT)
    draw(results)


def measurements(name: str) -> list[Measurement]:
    """The four figures of a network; all layers have the same bits."""
    work = workload(capture_model(name, vq.models.create(name), SIZES[name]))
    return [
        Measurement(name, work, vq.Scheme.parse(f"{bits} head=2 tail=2"), ms)
        for bits, ms in PAPER[name].items()
    ]


def chip(array: tuple[int, int]) -> Chip:
    """Before the fit; what is fitted does not matter."""
    peak = dict.fromkeys(ENERGY.mac, 1e13)
    return Chip("ResQ accelerator", "fitted to ResQ, supplement, Table 3", peak, array, 1e6, 1e10)


def largest_errors(array: tuple[int, int], rows: dict[str, list[Measurement]]) -> dict[str, float]:
    """The largest error in percent of each network's prediction from the other, with another array."""
    result = {}
    for name, group in rows.items():
        other = next(n for n in rows if n != name)
        fitted = fit_chip(chip(array), group, PARAMETERS)
        result[other] = max(percent(fitted, rows[other]).values(), key=abs)
    return result


def percent(fitted: Chip, rows: list[Measurement]) -> dict[str, float]:
    found = errors(fitted, rows)
    return {bits: round(100 * e, 1) for bits, e in zip(PAPER[rows[0].network], found, strict=True)}


def times(fitted: Chip, rows: list[Measurement]) -> dict[str, float]:
    found = [row.ms * (1 + e) for row, e in zip(rows, errors(fitted, rows), strict=True)]
    return {bits: round(ms, 3) for bits, ms in zip(PAPER[rows[0].network], found, strict=True)}


def order(ms: dict[str, float]) -> list[str]:
    return sorted(ms, key=lambda bits: ms[bits])


def numbers(fitted: Chip) -> dict[str, float]:
    peaks = {f"gmacs_{precision_text(p)}": round(peak / 1e9) for p, peak in fitted.peak.items()}
    return peaks | {"gb_s": round(fitted.bandwidth / 1e9, 1), "buffer_kb": round(fitted.buffer / 1e3, 1)}


def draw(results: dict) -> None:
    """A panel per network: the paper, the prediction from the other network, the fit to both."""
    picture, panels = figure(1, 2, 3.4)
    for axes, (name, paper) in zip(panels.flat, PAPER.items(), strict=True):
        dress(axes, f"{name}: ms per frame")
        other = next(n for n in PAPER if n != name)
        bars = {
            "paper": (paper, "#66717f"),
            f"fitted on {other}": (results[f"fitted_on_{other}"]["predicted_ms"], "#cf5f1d"),
            "fitted on both": (results["fitted_on_both"]["ms"][name], "#2f6fb5"),
        }
        for shift, (label, (ms, color)) in enumerate(bars.items()):
            places = [place + 0.27 * (shift - 1) for place in range(len(paper))]
            axes.bar(places, list(ms.values()), 0.25, color=color, label=label)
        axes.set_xticks(range(len(paper)), [bits.upper() for bits in paper])
        axes.legend(frameon=False, fontsize=8)
    save(picture, "resq_table3")


if __name__ == "__main__":
    main()
