"""ResQ, supplement, Table 1: calibration alone against quantization-aware training, on CamVid.

    python experiments/resq_table1.py [--data DIR] [--checkpoint FILE] [--networks DIR] [--again]

DDRNet-23-slim on the labelled video of CamVid (val, 101 frames of one drive, 11 classes), T = 3; trained on
its training images (`trained.py`). The paper's figures are of Cityscapes. Besides its three pairs, frame by
frame at 4, 3 and 2 bits. Writes results/resq_table1.json and .png.
"""

from argparse import Namespace
from functools import partial
from typing import Any

import numpy as np
from common import bar_pair, dress, figure, miou, miou_interval, save, verdict
from labelled import Video, arguments, measured, open_video
from side_by_side import Work, runner
from trained import add_arguments, trained

from videoquant.comparison.workers import Runner

# mIoU in percent, by calibration and by training.
PAPER = {
    "w8a8->w4a8 T=3": (75.14, 77.81),
    "w8a8->w8a4 T=3": (66.76, 77.70),
    "w8a8->w4a4 T=3": (66.67, 77.25),
}
FRAMES = ("w4a4", "w3a3", "w2a2")
TRAINED = " trained"
LOOKS = (("calibrated", "#66717f"), ("trained", "#cf5f1d"))


def main() -> None:
    options = add_arguments(arguments(__doc__.splitlines()[0])).parse_args()
    video = open_video(options)
    with runner(options) as run:
        draw(measure(video, partial(row, video=video, options=options), options.again, run))


def row(key: str, video: Video, options: Namespace) -> dict[str, Any]:
    scheme = key.removesuffix(TRAINED)
    return video.score(trained(video, scheme, options) if key != scheme else video.calibrate(scheme))


def measure(video: Video, row: Work, again: bool, run: Runner | None = None) -> dict[str, Any]:
    """Every scheme both ways."""
    keys = ["fp32", *(scheme + end for scheme in (*PAPER, *FRAMES) for end in ("", TRAINED))]
    results = measured("resq_table1", video.about(), keys, row, again, run)
    for scheme in (*PAPER, *FRAMES):
        gain, low, high = 100 * np.array(gap(results, scheme))
        paper = f", paper {PAPER[scheme][1] - PAPER[scheme][0]:+.2f}" if scheme in PAPER else ""
        before, after = (100 * miou(tallies(results, scheme + end)) for end in ("", TRAINED))
        gained = f"{gain:+.2f} points ({low:+.2f} to {high:+.2f})"
        print(f"{scheme:16s} {before:.2f} → {after:.2f}: {gained}{paper}: {verdict(low, high)}")
    return results


def tallies(results: dict[str, Any], key: str) -> Any:
    return np.array(results["rows"][key]["tallies"])


def gap(results: dict[str, Any], scheme: str) -> tuple[float, float, float]:
    """mIoU trained minus calibrated, with its interval."""
    return miou_interval(tallies(results, scheme + TRAINED), tallies(results, scheme))


def draw(results: dict[str, Any]) -> None:
    """The paper's pairs of bars, and ours, with the differences above."""
    picture, panels = figure(1, 2, 4.0)
    paper, ours = panels[0]
    dress(paper, "the paper: Cityscapes")
    dress(ours, f"ours: {results['source']}, {results['frames']} frames")
    for place, (before, after) in enumerate(PAPER.values()):
        bar_pair(paper, place, (before, after), LOOKS, f"{after - before:+.2f}", 6.5)
    for place, scheme in enumerate((*PAPER, *FRAMES)):
        before, after = (100 * miou(tallies(results, scheme + end)) for end in ("", TRAINED))
        bar_pair(ours, place, (before, after), LOOKS, f"{after - before:+.2f}", 6.5)
    whole = 100 * miou(tallies(results, "fp32"))
    ours.axhline(whole, color=LOOKS[0][1], linestyle="--", linewidth=1, label="fp32", zorder=0)
    for axes, schemes in ((paper, PAPER), (ours, (*PAPER, *FRAMES))):
        axes.set_xticks(range(len(schemes)), [s.replace("->", "→\n").replace(" T=3", "") for s in schemes])
        axes.set_ylim(0, 95)
        axes.set_ylabel("mIoU, %", fontsize=8)
    ours.legend(frameon=False, fontsize=8, ncols=3, loc="upper right")
    save(picture, "resq_table1")


if __name__ == "__main__":
    main()
