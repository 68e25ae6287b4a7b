"""ResQ, supplement, Table 2: weights per tensor against per channel, after calibration alone, on CamVid.

    python experiments/resq_table2.py [--data DIR] [--checkpoint FILE] [--frames N] [--again]

DDRNet-23-slim on the labelled video of CamVid (val, 101 frames of one drive, 11 classes), T = 3. The paper's
figures are of Cityscapes. Writes results/resq_table2.json and .png.
"""

from typing import Any

import numpy as np
from common import bar_pair, dress, figure, miou, miou_interval, save, verdict
from labelled import Video, arguments, measured, open_video
from side_by_side import runner

from videoquant.comparison.workers import Runner

PER_TENSOR = " per-tensor"
# mIoU in percent, per tensor and per channel.
PAPER = {
    "w8a8->w4a8 T=3": (73.41, 75.14),
    "w8a8->w8a4 T=3": (66.59, 66.76),
    "w8a8->w4a4 T=3": (66.51, 66.67),
    "w8a4->w4a4 T=3": (58.43, 60.21),
}
LOOKS = (("per tensor", "#66717f"), ("per channel", "#cf5f1d"))


def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    with runner(options) as run:
        draw(measure(open_video(options), options.again, run))


def measure(video: Video, again: bool = False, run: Runner | None = None) -> dict[str, Any]:
    """Every pair of bit-widths both ways."""
    schemes = [scheme + grids for scheme in PAPER for grids in (PER_TENSOR, "")]
    results = measured("resq_table2", video.about(), schemes, video.calibrated, again, run)
    for scheme, (tensor, channel) in PAPER.items():
        gain, low, high = 100 * np.array(gap(results, scheme))
        print(
            f"{scheme:16s} {gain:+.2f} points ({low:+.2f} to {high:+.2f}), paper {channel - tensor:+.2f}: "
            f"{verdict(low, high)}; SQNR {sqnr_gap(results, scheme):+.1f} dB"
        )
    return results


def gap(results: dict[str, Any], scheme: str) -> tuple[float, float, float]:
    """mIoU per channel minus per tensor, with its interval."""
    channel, tensor = (np.array(results["rows"][scheme + end]["tallies"]) for end in ("", PER_TENSOR))
    return miou_interval(channel, tensor)


def sqnr_gap(results: dict[str, Any], scheme: str) -> float:
    """What per channel gains in SQNR against fp32, in dB."""
    rows = results["rows"]
    return float(rows[scheme]["sqnr_db"] - rows[scheme + PER_TENSOR]["sqnr_db"])


def draw(results: dict[str, Any]) -> None:
    """The paper's pairs of bars, and ours with the difference and its interval above."""
    picture, panels = figure(1, 2, 4.0)
    paper, ours = panels[0]
    dress(paper, "the paper: Cityscapes")
    dress(ours, f"ours: {results['source']}, {results['frames']} frames")
    for place, (scheme, (tensor, channel)) in enumerate(PAPER.items()):
        bar_pair(paper, place, (tensor, channel), LOOKS, f"{channel - tensor:+.2f}")
        tallies = (np.array(results["rows"][scheme + end]["tallies"]) for end in (PER_TENSOR, ""))
        gain, low, high = 100 * np.array(gap(results, scheme))
        values = [100 * miou(t) for t in tallies]
        bar_pair(ours, place, values, LOOKS, f"{gain:+.2f}\n({low:+.2f} to {high:+.2f})")
    for axes in panels[0]:
        axes.set_xticks(range(len(PAPER)), [s.replace("->", "→\n").replace(" T=3", "") for s in PAPER])
        axes.set_ylim(0, 90)
        axes.set_ylabel("mIoU, %", fontsize=8)
    ours.legend(frameon=False, fontsize=8, ncols=2, loc="upper right")
    save(picture, "resq_table2")


if __name__ == "__main__":
    main()
