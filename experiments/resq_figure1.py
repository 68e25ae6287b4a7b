"""ResQ, supplement, Figure 1: mIoU against GBOPs of trained networks, on CamVid.

    python experiments/resq_figure1.py [--network NAME --checkpoint FILE] [--data DIR] [--networks DIR]

Frame quantization at 8, 4, 3 and 2 bits, residual pairs of neighbours at T = 3, and VideoIQ
(`resq_videoiq.py`) where results/ holds it. DDRNet-23-slim on the labelled video of CamVid (val, 101 frames
of one drive, 11 classes), trained on its training images (`trained.py`); the paper has Cityscapes, and other
networks as well: --network takes those, given weights of CamVid. Random choice mixes the two frame networks
whose costs surround its own; residual pairs are held against it at their cost. Writes
results/resq_figure1.json and .png.
"""

import json
from argparse import Namespace
from functools import partial
from typing import Any

import common
import numpy as np
from common import dress, figure, miou, save
from labelled import NAME, Video, arguments, measured, open_video
from matplotlib.axes import Axes
from resq_camvid import (
    FP32,
    FRAME,
    FRAMES,
    PAIRS,
    RESIDUAL,
    cost_axis,
    frames_of,
    name_points,
    say_above_line,
)
from resq_videoiq import mixture, scored
from side_by_side import runner
from trained import add_arguments, trained

POLICY = "#2e8b57"


def main() -> None:
    options = add_arguments(arguments(__doc__.splitlines()[0])).parse_args()
    video = open_video(options)
    name = "resq_figure1" if options.network == NAME else f"resq_figure1_{options.network}"
    row = partial(trained_row, video=video, options=options)
    with runner(options) as run:
        results = measured(name, video.about(), ["fp32", *FRAMES, *PAIRS], row, options.again, run)
    say_above_line(results)
    draw(results, name)


def trained_row(scheme: str, video: Video, options: Namespace) -> dict[str, Any]:
    return video.score(video.calibrate(scheme) if scheme == "fp32" else trained(video, scheme, options))


def draw(results: dict[str, Any], name: str) -> None:
    """Frame quantization and random choice as a line, residual pairs and VideoIQ as points."""
    rows = {s: (row["gbops_per_frame"], 100 * row["accuracy"]["miou"]) for s, row in results["rows"].items()}
    picture, panels = figure(1, 1, 4.6)
    axes = panels[0, 0]
    dress(axes, f"{results['network']} on {results['source']}, trained: mIoU against labels, %")
    axes.axhline(rows["fp32"][1], color=FP32, linestyle="--", linewidth=1, label="fp32")
    ends = [rows[s] for s in FRAMES]
    costs, tallies = frames_of(results)
    line = np.geomspace(costs.min(), costs.max(), 120)
    random = [100 * miou(np.tensordot(mixture(costs, cost), tallies, 1)) for cost in line]
    axes.plot(line, random, "--", color=FRAME, linewidth=1, label="random choice")
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
