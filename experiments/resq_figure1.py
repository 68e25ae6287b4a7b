"""ResQ, supplement, Figure 1: mIoU against GBOPs of trained networks, on CamVid.

    python experiments/resq_figure1.py [--network NAME --checkpoint FILE] [--data DIR] [--networks DIR]
        [--conventions NAME ...]

Frame quantization at 8, 4, 3 and 2 bits, residual pairs of neighbours at T = 3, and VideoIQ
(`resq_videoiq.py`) where results/ holds it. DDRNet-23-slim on the labelled video of CamVid (val, 101 frames
of one drive, 11 classes), trained on its training images (`trained.py`); the paper has Cityscapes, and other
networks as well: --network takes those, given weights of CamVid. Random choice mixes the two frame networks
whose costs surround its own; residual pairs are held against it at their cost. In the conventions of
docs/schemes.md. Writes results/resq_figure1_CONVENTION.json, and resq_figure1.png of both.
"""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import common
import numpy as np
from common import dress, figure, miou, save
from labelled import Video, arguments, measured, of_network, open_video
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

from videoquant.comparison.workers import Runner

POLICY = "#2e8b57"


def main() -> None:
    options = add_arguments(arguments(__doc__.splitlines()[0])).parse_args()
    video = open_video(options)
    base = of_network("resq_figure1", options.network)
    schemes = ("fp32", *FRAMES, *PAIRS)
    with runner(options) as run:
        found = [measure(video, name, options, schemes, run, base) for name in options.conventions]
    picture, panels = figure(len(found), 1, 4.6 * len(found))
    for axes, results in zip(panels[:, 0], found, strict=True):
        print(f"convention {results['convention']}")
        say_above_line(results)
        draw(axes, results, base == "resq_figure1")
    save(picture, base)


def trained_row(scheme: str, video: Video, convention: str, options: argparse.Namespace) -> dict[str, Any]:
    """A scheme, trained with the first seed."""
    is_float = scheme == "fp32"
    return video.score(video.calibrate(scheme) if is_float else trained(video, scheme, convention, options))


def measure(
    video: Video,
    convention: str,
    options: argparse.Namespace,
    schemes: Sequence[str],
    run: Runner | None = None,
    name: str = "resq_figure1",
) -> dict[str, Any]:
    """Schemes of a convention, trained."""
    work = partial(trained_row, video=video, convention=convention, options=options)
    return measured(f"{name}_{convention}", video.about(convention), schemes, work, options.again, run)


def draw(axes: Axes, results: dict[str, Any], policies: bool) -> None:
    """Frame quantization and random choice as a line, residual pairs as points; VideoIQ where `policies`."""
    rows = {s: (row["gbops_per_frame"], 100 * row["accuracy"]["miou"]) for s, row in results["rows"].items()}
    words = f"{results['network']} on {results['source']}, trained, convention {results['convention']}"
    dress(axes, f"{words}: mIoU against labels, %")
    axes.axhline(rows["fp32"][1], color=FP32, linestyle="--", linewidth=1, label="fp32")
    ends = [rows[s] for s in FRAMES]
    costs, tallies = frames_of(results)
    line = np.geomspace(costs.min(), costs.max(), 120)
    random = [100 * miou(np.tensordot(mixture(costs, cost), tallies, 1)) for cost in line]
    axes.plot(line, random, "--", color=FRAME, linewidth=1, label="random choice")
    axes.plot(*zip(*ends, strict=True), "o", color=FRAME, label="frame quantization")
    pairs = [rows[s] for s in PAIRS]
    axes.plot(*zip(*pairs, strict=True), "^", color=RESIDUAL, label="residual pairs, T = 3")
    if policies:
        draw_policies(axes)
    cost_axis(axes)
    name_points(axes, {s: rows[s] for s in FRAMES}, {s: rows[s] for s in PAIRS})


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
