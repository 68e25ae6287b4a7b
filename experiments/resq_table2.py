"""ResQ, supplement, Table 2: weights per tensor against per channel, after calibration alone, on CamVid.

    python experiments/resq_table2.py [--data DIR] [--checkpoint FILE] [--frames N] [--conventions NAME ...]
        [--again]

DDRNet-23-slim on the labelled video of CamVid (val, 101 frames of one drive, 11 classes), T = 3. The paper's
figures are of Cityscapes. In the conventions of docs/schemes.md. Writes results/resq_table2_CONVENTION.json,
and resq_table2.png of both.
"""

from typing import Any

import numpy as np
from common import bar_pair, dress, figure, miou, miou_interval, save, verdict
from labelled import Video, arguments, calibrated_rows, open_video
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
    video = open_video(options)
    with runner(options) as run:
        draw([measure(video, convention, options.again, run) for convention in options.conventions])


def measure(video: Video, convention: str, again: bool = False, run: Runner | None = None) -> dict[str, Any]:
    """Every pair of bit-widths both ways."""
    schemes = [scheme + grids for scheme in PAPER for grids in (PER_TENSOR, "")]
    results = calibrated_rows("resq_table2", video, convention, schemes, again, run)
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


def draw(found: list[dict[str, Any]]) -> None:
    """The paper's pairs of bars, and ours in each convention, with the difference above."""
    picture, panels = figure(1, 1 + len(found), 4.0)
    dress(panels[0, 0], "the paper: Cityscapes")
    for place, (tensor, channel) in enumerate(PAPER.values()):
        bar_pair(panels[0, 0], place, (tensor, channel), LOOKS, f"{channel - tensor:+.2f}")
    for ours, results in zip(panels[0, 1:], found, strict=True):
        dress(ours, f"{results['source']}, convention {results['convention']}")
        for place, scheme in enumerate(PAPER):
            tallies = (np.array(results["rows"][scheme + end]["tallies"]) for end in (PER_TENSOR, ""))
            gain = 100 * gap(results, scheme)[0]
            bar_pair(ours, place, [100 * miou(t) for t in tallies], LOOKS, f"{gain:+.2f}")
    for axes in panels[0]:
        axes.set_xticks(range(len(PAPER)), [s.replace("->", "→\n").replace(" T=3", "") for s in PAPER])
        axes.set_ylim(0, 90)
        axes.set_ylabel("mIoU, %", fontsize=8)
    panels[0, 0].legend(frameon=False, fontsize=8, ncols=2, loc="upper right")
    save(picture, "resq_table2")


if __name__ == "__main__":
    main()
