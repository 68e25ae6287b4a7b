"""Frame and residual quantization against ground truth: the ResQ paper's supplement, on CamVid.

    python experiments/resq_camvid.py [--data DIR] [--checkpoint FILE] [--frames N] [--again]

DDRNet-23-slim on the labelled video of CamVid (val, 101 frames of one drive, 11 classes): frame quantization
at 8, 4, 3 and 2 bits, and residual pairs at T = 3, after calibration alone (Figures 1 and 2, there with
quantization-aware training and on Cityscapes). Writes results/resq_camvid.json and .png.
"""

from typing import Any

from common import dress, figure, save
from labelled import Video, arguments, measured, open_video
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from videoquant.comparison import DEFAULT_LABELLED_SCHEMES
from videoquant.report.labels import add_labels

SCHEMES = tuple(scheme for scheme in DEFAULT_LABELLED_SCHEMES if "per-tensor" not in scheme)
FRAME, RESIDUAL, FP32 = "#2f6fb5", "#cf5f1d", "#66717f"


def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    draw(measure(open_video(options), SCHEMES, options.again))


def measure(video: Video, schemes: tuple[str, ...] = SCHEMES, again: bool = False) -> dict[str, Any]:
    """Every scheme over the video."""
    results = measured(
        "resq_camvid", video.about(), schemes, lambda text: video.score(video.calibrate(text)), again
    )
    for scheme, row in results["rows"].items():
        print(f"{scheme:28s} {row['gbops_per_frame']:8.1f} GBOPs  mIoU {row['accuracy']['miou']:.4f}")
    return results


def draw(results: dict[str, Any]) -> None:
    """mIoU against GBOPs: frame quantization as a line, residual pairs as points."""
    rows = {s: (row["gbops_per_frame"], row["accuracy"]["miou"]) for s, row in results["rows"].items()}
    picture, panels = figure(1, 1, 4.2)
    axes = panels[0, 0]
    dress(axes, f"{results['network']} on {results['source']}: mIoU against labels")
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
