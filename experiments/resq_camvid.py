"""Frame and residual quantization against ground truth: the ResQ paper's supplement, on CamVid.

    python experiments/resq_camvid.py [--data DIR] [--checkpoint FILE] [--frames N] [--conventions NAME ...]
        [--again]

DDRNet-23-slim on the labelled video of CamVid (val, 101 frames of one drive, 11 classes): frame quantization
at 8, 4, 3 and 2 bits, and residual pairs at T = 3, after calibration alone (Figures 1 and 2, there with
quantization-aware training and on Cityscapes), in the conventions of docs/schemes.md. Writes
results/resq_camvid_CONVENTION.json, and resq_camvid.png of both.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from common import dress, figure, miou_interval, save, verdict
from labelled import Video, arguments, calibrated_rows, open_video
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from resq_videoiq import mixture
from side_by_side import runner

from videoquant.comparison import DEFAULT_LABELLED_SCHEMES
from videoquant.comparison.workers import Runner
from videoquant.report.labels import add_labels

SCHEMES = tuple(scheme for scheme in DEFAULT_LABELLED_SCHEMES if "per-tensor" not in scheme)
FRAMES = ("w8a8", "w4a4", "w3a3", "w2a2")
PAIRS = tuple(f"{high}->{low} T=3" for high, low in pairwise(FRAMES))
FRAME, RESIDUAL, FP32 = "#2f6fb5", "#cf5f1d", "#66717f"


def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    video = open_video(options)
    with runner(options) as run:
        found = {name: measure(video, name, SCHEMES, options.again, run) for name in options.conventions}
    for convention, results in found.items():
        print(f"convention {convention}")
        say_above_line(results)
    draw(found)


def measure(
    video: Video,
    convention: str,
    schemes: tuple[str, ...] = SCHEMES,
    again: bool = False,
    run: Runner | None = None,
) -> dict[str, Any]:
    """Every scheme over the video, in a convention."""
    results = calibrated_rows("resq_camvid", video, convention, schemes, again, run)
    for scheme, row in results["rows"].items():
        print(f"{scheme:28s} {row['gbops_per_frame']:8.1f} GBOPs  mIoU {row['accuracy']['miou']:.4f}")
    return results


def say_above_line(results: dict[str, Any]) -> None:
    """Of the pairs between neighbours: how far they lie above frame quantization at their cost."""
    for scheme in PAIRS:
        gain, low, high = 100 * np.array(above_line(results, scheme))
        against = f"{gain:+.2f} points above frames at its cost ({low:+.2f} to {high:+.2f})"
        print(f"{scheme:16s} {against}: {verdict(low, high)}")


def above_line(results: dict[str, Any], scheme: str) -> tuple[float, float, float]:
    """mIoU of a residual pair minus that of random choice at its cost, with its interval."""
    rows = results["rows"]
    costs, tallies = frames_of(results)
    shares = mixture(costs, rows[scheme]["gbops_per_frame"])
    return miou_interval(np.array(rows[scheme]["tallies"]), np.tensordot(shares, tallies, 1))


def frames_of(results: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """GBOPs and tallies (see `common.mious`) of the networks that random choice takes from."""
    rows = [results["rows"][scheme] for scheme in FRAMES]
    return np.array([row["gbops_per_frame"] for row in rows]), np.array([row["tallies"] for row in rows])


def draw(results: dict[str, dict[str, Any]]) -> None:
    """mIoU against GBOPs, a panel per convention: frame quantization as a line, residual pairs as points."""
    picture, panels = figure(len(results), 1, 4.2 * len(results))
    for axes, (convention, found) in zip(panels[:, 0], results.items(), strict=True):
        rows = {s: (row["gbops_per_frame"], row["accuracy"]["miou"]) for s, row in found["rows"].items()}
        dress(axes, f"{found['network']} on {found['source']}, convention {convention}: mIoU against labels")
        against_cost(axes, rows)
    save(picture, "resq_camvid")


def against_cost(axes: Axes, rows: dict[str, tuple[float, float]]) -> None:
    """Every scheme; fp32, which costs 16 times as much as w8a8, is a line across."""
    frame = {text: rows[text] for text in rows if "->" not in text and text != "fp32"}
    residual = {text: rows[text] for text in rows if "->" in text}
    axes.axhline(rows["fp32"][1], color=FP32, linestyle="--", linewidth=1, label="fp32")
    axes.plot(*zip(*frame.values(), strict=True), "o-", color=FRAME, label="frame quantization")
    axes.plot(*zip(*residual.values(), strict=True), "^", color=RESIDUAL, label="residual pairs, T = 3")
    cost_axis(axes)
    name_points(axes, frame, residual)


def cost_axis(axes: Axes) -> None:
    """GBOPs on a logarithmic axis, and the legend below it."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.14, y=0.1)
    axes.set_xlabel("GBOPs per frame", fontsize=8)
    axes.legend(frameon=False, fontsize=8, ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.14))


def name_points(
    axes: Axes, frame: dict[str, tuple[float, float]], residual: dict[str, tuple[float, float]]
) -> None:
    """The scheme beside every point."""
    names = [text.replace("->", "→").replace(" T=3", "") for text in (*frame, *residual)]
    colors = [FRAME] * len(frame) + [RESIDUAL] * len(residual)
    picture = axes.get_figure(root=True)
    assert picture is not None
    resolution = picture.dpi
    picture.set_dpi(72)  # `add_labels` measures in points
    add_labels(axes, [*frame.values(), *residual.values()], names, colors)
    picture.set_dpi(resolution)


if __name__ == "__main__":
    main()
