"""ResQ, supplement, Figure 1: mIoU against GBOPs of trained networks, on CamVid.

    python experiments/resq_figure1.py [--network NAME --checkpoint FILE] [--data DIR] [--networks DIR]

Frame quantization at 8, 4, 3 and 2 bits, residual pairs of neighbours at T = 3, and VideoIQ
(`resq_videoiq.py`) where results/ holds it. DDRNet-23-slim on the labelled video of CamVid (val, 101 frames
of one drive, 11 classes), trained on its training images (`trained.py`); the paper has Cityscapes, and other
networks as well: --network takes those, given weights of CamVid. Random choice between two networks of the
frame line costs and scores what lies on the straight line between them; residual pairs are held against that
line at their own cost. Writes results/resq_figure1.json and .png.
"""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import common
import numpy as np
from common import dress, figure, mious, resampled, save, verdict
from labelled import NAME, arguments, measured, open_video
from matplotlib.axes import Axes
from resq_camvid import FP32, FRAME, RESIDUAL, cost_axis, name_points
from resq_videoiq import scored
from trained import add_arguments, trained

FRAMES = ("w8a8", "w4a4", "w3a3", "w2a2")
PAIRS = tuple(f"{high}->{low} T=3" for high, low in pairwise(FRAMES))
POLICY = "#2e8b57"


def main() -> None:
    options = add_arguments(arguments(__doc__.splitlines()[0])).parse_args()
    video = open_video(options)

    def row(scheme: str) -> dict[str, Any]:
        return video.score(video.calibrate(scheme) if scheme == "fp32" else trained(video, scheme, options))

    name = "resq_figure1" if options.network == NAME else f"resq_figure1_{options.network}"
    results = measured(name, video.about(), ["fp32", *FRAMES, *PAIRS], row, options.again)
    for scheme in PAIRS:
        gain, low, high = 100 * np.array(above_line(results, scheme))
        against = f"{gain:+.2f} points above frames at its cost ({low:+.2f} to {high:+.2f})"
        print(f"{scheme:16s} {against}: {verdict(low, high)}")
    draw(results, name)


def above_line(results: dict[str, Any], scheme: str) -> tuple[float, float, float]:
    """mIoU of a residual pair minus that of random choice at its cost, with its interval."""
    rows = results["rows"]
    counts = resampled(results["frames"])
    whole = np.ones((1, results["frames"]), int)
    cost = rows[scheme]["gbops_per_frame"]

    def gap(counts: np.ndarray) -> np.ndarray:
        line = frame_line(rows, [mious(np.array(rows[s]["tallies"]), counts) for s in FRAMES], cost)
        return mious(np.array(rows[scheme]["tallies"]), counts) - line

    low, high = np.quantile(gap(counts), (0.025, 0.975))
    return float(gap(whole)[0]), float(low), float(high)


def frame_line(rows: dict[str, Any], values: Sequence[np.ndarray], cost: float) -> np.ndarray:
    """What random choice between the frame networks around a cost gives; values: in the order of `FRAMES`."""
    costs = [rows[s]["gbops_per_frame"] for s in FRAMES]
    upper = next(i for i in range(len(costs) - 1) if costs[i + 1] <= cost <= costs[i])
    share = (cost - costs[upper + 1]) / (costs[upper] - costs[upper + 1])
    line: np.ndarray = share * values[upper] + (1 - share) * values[upper + 1]
    return line


def draw(results: dict[str, Any], name: str) -> None:
    """Frame quantization and random choice as a line, residual pairs and VideoIQ as points."""
    rows = {s: (row["gbops_per_frame"], 100 * row["accuracy"]["miou"]) for s, row in results["rows"].items()}
    picture, panels = figure(1, 1, 4.6)
    axes = panels[0, 0]
    dress(axes, f"{results['network']} on {results['source']}, trained: mIoU against labels, %")
    axes.axhline(rows["fp32"][1], color=FP32, linestyle="--", linewidth=1, label="fp32")
    ends = [rows[s] for s in FRAMES]
    mixed = np.linspace(0, 1, 50)[:, None]
    between = np.concatenate([np.array(a) * (1 - mixed) + np.array(b) * mixed for a, b in pairwise(ends)])
    axes.plot(*between.T, "--", color=FRAME, linewidth=1, label="random choice")
    axes.plot(*zip(*ends, strict=True), "o", color=FRAME, label="frame quantization")
    pairs = [rows[s] for s in PAIRS]
    axes.plot(*zip(*pairs, strict=True), "^", color=RESIDUAL, label="residual pairs, T = 3")
    if name == "resq_figure1":
        draw_policies(axes)
    cost_axis(axes)
    name_points(axes, {s: rows[s] for s in FRAMES}, {s: rows[s] for s in PAIRS})
    save(picture, name)


def draw_policies(axes: Axes) -> None:
    """VideoIQ, where it has been measured."""
    path = common.RESULTS / "resq_videoiq.json"
    if not path.exists():
        return
    results = json.loads(path.read_text(encoding="utf-8"))
    policies = [scored(results, key) for key in results["rows"] if key.startswith("λ=")]
    points = [(policy["gbops"], 100 * policy["miou"]) for policy in policies]
    axes.plot(*zip(*points, strict=True), "s", color=POLICY, fillstyle="none", label="VideoIQ")


if __name__ == "__main__":
    main()
