"""ResQ, supplement, Table 1: calibration alone against quantization-aware training, on CamVid.

    python experiments/resq_table1.py [--network NAME --checkpoint FILE] [--data DIR] [--networks DIR]
        [--schemes SCHEME ...] [--seeds N ...] [--conventions NAME ...] [--again]

DDRNet-23-slim on the labelled video of CamVid (val, 101 frames of one drive, 11 classes), T = 3; trained on
its training images (`trained.py`). The paper's figures are of Cityscapes. By default its three pairs and,
frame by frame, 4, 3 and 2 bits. In the conventions of docs/schemes.md. Writes
results/resq_table1_CONVENTION.json, and resq_table1.png of both.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from common import bar_pair, dress, figure, miou, mious, resampled, save, verdict
from labelled import Video, arguments, measured, of_network, open_video
from side_by_side import runner
from trained import add_arguments, trained

from videoquant.comparison.workers import Runner

# mIoU in percent, by calibration and by training.
PAPER = {
    "w8a8->w4a8 T=3": (75.14, 77.81),
    "w8a8->w8a4 T=3": (66.76, 77.70),
    "w8a8->w4a4 T=3": (66.67, 77.25),
}
FRAMES = ("w4a4", "w3a3", "w2a2")
TRAINED = " trained "  # and the seed
LOOKS = (("calibrated", "#66717f"), ("trained", "#cf5f1d"))


def main() -> None:
    parser = add_arguments(arguments(__doc__.splitlines()[0]))
    parser.add_argument("--schemes", nargs="+", default=(*PAPER, *FRAMES), metavar="SCHEME")
    options = parser.parse_args()
    video = open_video(options)
    with runner(options) as run:
        found = [measure(video, convention, options, run) for convention in options.conventions]
    draw(found, options.schemes, of_network("resq_table1", options.network))


def row(key: str, video: Video, convention: str, options: argparse.Namespace) -> dict[str, Any]:
    """A scheme calibrated, or trained with a seed."""
    scheme, _, seed = key.partition(TRAINED)
    if not seed:
        return video.calibrated(scheme, convention)
    return video.score(trained(video, scheme, convention, options, int(seed)))


def measure(
    video: Video, convention: str, options: argparse.Namespace, run: Runner | None = None
) -> dict[str, Any]:
    """Every scheme calibrated, and trained with every seed."""
    ends = ("", *(f"{TRAINED}{seed}" for seed in options.seeds))
    keys = ["fp32", *(scheme + end for scheme in options.schemes for end in ends)]
    work = partial(row, video=video, convention=convention, options=options)
    name = f"{of_network('resq_table1', options.network)}_{convention}"
    results = measured(name, video.about(convention), keys, work, options.again, run)
    print(f"convention {convention}")
    for scheme in options.schemes:
        before, *after = (100 * miou(tallies(results, scheme + end)) for end in ends)
        low, high = 100 * np.array(interval(results, scheme))
        paper = f", paper {PAPER[scheme][1] - PAPER[scheme][0]:+.2f}" if scheme in PAPER else ""
        print(
            f"{scheme:16s} {before:.2f} → {', '.join(f'{value:.2f}' for value in after)}: "
            f"{np.mean(after) - before:+.2f} points ({low:+.2f} to {high:+.2f}){paper}: {verdict(low, high)}"
        )
    return results


def tallies(results: dict[str, Any], key: str) -> Any:
    return np.array(results["rows"][key]["tallies"])


def trainings(results: dict[str, Any], scheme: str) -> list[Any]:
    """The tallies of a scheme's trainings, every seed that was measured."""
    return [tallies(results, key) for key in results["rows"] if key.startswith(scheme + TRAINED)]


def interval(results: dict[str, Any], scheme: str) -> tuple[float, float]:
    """The 95% interval of mIoU trained minus calibrated: of other frames of the drive, and other seeds."""
    before, after = tallies(results, scheme), trainings(results, scheme)
    counts = resampled(len(before))
    seeds = np.random.default_rng(1).integers(len(after), size=(len(counts), len(after)))
    of_seeds = np.stack([mious(one, counts) for one in after], 1)
    gains = np.take_along_axis(of_seeds, seeds, 1).mean(1) - mious(before, counts)
    low, high = np.quantile(gains, (0.025, 0.975))
    return float(low), float(high)


def draw(found: list[dict[str, Any]], schemes: Sequence[str], name: str = "resq_table1") -> None:
    """The paper's pairs of bars, and ours in each convention, with the differences above."""
    picture, panels = figure(1 + len(found), 1, 2.6 * (1 + len(found)))
    for axes, names in ((panels[0, 0], PAPER), *((axes, schemes) for axes in panels[1:, 0])):
        axes.set_xticks(range(len(names)), [s.replace("->", "→").replace(" T=3", "") for s in names])
        axes.set_ylim(0, 95)
        axes.set_ylabel("mIoU, %", fontsize=8)
    dress(panels[0, 0], "the paper: Cityscapes")
    for place, (before, after) in enumerate(PAPER.values()):
        bar_pair(panels[0, 0], place, (before, after), LOOKS, f"{after - before:+.2f}", 6.5)
    for axes, results in zip(panels[1:, 0], found, strict=True):
        dress(axes, f"{results['source']}, convention {results['convention']}; trained: mean over seeds")
        whole = 100 * miou(tallies(results, "fp32"))
        axes.axhline(whole, color=LOOKS[0][1], linestyle="--", linewidth=1, label="fp32", zorder=0)
        for place, scheme in enumerate(schemes):
            before = 100 * miou(tallies(results, scheme))
            after = 100 * float(np.mean([miou(one) for one in trainings(results, scheme)]))
            bar_pair(axes, place, (before, after), LOOKS, f"{after - before:+.2f}", 6.5)
    panels[-1, 0].legend(frameon=False, fontsize=8, ncols=3, loc="upper right")
    save(picture, name)


if __name__ == "__main__":
    main()
