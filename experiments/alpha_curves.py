"""The α of quantile ranges: agreement with fp32 against α, for every network at W8A4 with static ranges.

    python experiments/alpha_curves.py --carphone carphone_pristine.mp4 [--data DIR] [--workers N]

Measured on a few calibration inputs. Writes results/alpha_curves.json and .png.
"""

from argparse import Namespace
from functools import partial

from common import arguments, by_network, cases, dress, figure, save
from side_by_side import add_arguments, runner

from videoquant.calibration.alpha import LADDER, START, climb

INPUTS = 64  # at most: a whole curve takes 16 α, where the search takes 7


def main() -> None:
    options = add_arguments(arguments(__doc__.splitlines()[0])).parse_args()
    with runner(options) as run:
        results = by_network("alpha_curves", partial(measure, options=options), options, run)
    draw(results)


def measure(name: str, options: Namespace) -> dict:
    """The curve of a network."""
    case = cases(options.data, options.carphone)[name]()
    case.alpha_inputs = min(case.alpha_inputs, INPUTS)
    curve = case.search_alpha(f"w8a4 {case.edges}", exhaustive=True)
    greedy, steps = climbed({point.alpha: point.sqnr_db for point in curve.points})
    print(f"{name:20s} best α {curve.best}; greedy, without refinement, {greedy} in {steps}", flush=True)
    return {
        "data": case.data,
        "inputs": curve.frames,
        "best": curve.best,
        "greedy": greedy,
        "greedy_steps": steps,
        "curve": [[point.alpha, point.sqnr_db, point.agreement] for point in curve.points],
    }


def climbed(decibels: dict[float, float]) -> tuple[float, int]:
    """The step of the ladder that the greedy search would have found, and how many it would have measured."""
    measured = set()

    def value(step: int) -> float:
        measured.add(step)
        return decibels[LADDER[step]]

    return LADDER[climb(value, LADDER.index(START), len(LADDER))], len(measured)


def draw(results: dict) -> None:
    """A panel per network: SQNR against 1 − α; α = 1 at the right edge."""
    picture, panels = figure(2, 3, 5.6)
    for axes, (name, row) in zip(panels.flat, results.items(), strict=True):
        dress(axes, name)
        alphas, decibels, _ = zip(*row["curve"], strict=True)
        axes.plot([max(1 - a, 3e-6) for a in alphas], decibels, "o-", color="#2f6fb5", markersize=3.5)
        best = alphas.index(row["best"])
        axes.plot(max(1 - alphas[best], 3e-6), decibels[best], "o", color="#cf5f1d", markersize=7)
        axes.annotate(f"{row['best']:g}", (max(1 - alphas[best], 3e-6), decibels[best]), fontsize=8,
                      xytext=(0, 7), textcoords="offset points", ha="center")  # fmt: skip
        axes.set_xscale("log")
        axes.invert_xaxis()
        axes.set_xticks([1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 3e-6], ["0.9", "0.99", "0.999", "0.9999", "", "1"])
        axes.minorticks_off()
        axes.margins(y=0.18)
        axes.set_xlabel("α")
    panels[0, 0].set_ylabel("SQNR against fp32, dB")
    save(picture, "alpha_curves")


if __name__ == "__main__":
    main()
