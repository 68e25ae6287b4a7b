"""Dynamic-ResQ: mIoU against GBOPs with the tolerance of the bit-width's choice swept, on CamVid.

    python experiments/resq_dynamic.py [--data DIR] [--checkpoint FILE] [--frames N] [--conventions NAME ...]
        [--again]

DDRNet-23-slim on the labelled video of CamVid, T = 3, after calibration alone: residuals whose locations take
0, 4 or 8 bits each (`adaptive tau=N`), with weights of 8 and of 4 bits, beside residuals of one width. In
the conventions of docs/schemes.md. Writes results/resq_dynamic_CONVENTION.json, and resq_dynamic.png of both.
"""

from typing import Any

import numpy as np
from common import dress, figure, miou_interval, save
from labelled import Video, arguments, calibrated_rows, open_video
from matplotlib.axes import Axes
from side_by_side import runner

from videoquant.comparison.workers import Runner

TOLERANCES = (0, 1, 2, 4, 8, 16, 32)
SERIES = {
    bits: [f"{bits} T=3 adaptive" + f" tau={tau}" * bool(tau) for tau in TOLERANCES]
    for bits in ("w8a8->w8a8", "w8a8->w4a8")
}
FIXED = ("w8a8", "w8a8->w8a4 T=3", "w8a8->w4a8 T=3", "w8a8->w4a4 T=3")
REFERENCE = "w8a8"
COLORS = {"w8a8->w8a8": "#2f6fb5", "w8a8->w4a8": "#cf5f1d"}


def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    video = open_video(options)
    with runner(options) as run:
        draw([measure(video, convention, options.again, run) for convention in options.conventions])


def measure(video: Video, convention: str, again: bool = False, run: Runner | None = None) -> dict[str, Any]:
    """Every tolerance, and what stands beside."""
    schemes = [*FIXED, *(scheme for series in SERIES.values() for scheme in series)]
    results = calibrated_rows("resq_dynamic", video, convention, schemes, again, run)
    for scheme in schemes:
        row = results["rows"][scheme]
        value, low, high = 100 * np.array(gap(results, scheme))
        shares = ", ".join(f"{width}: {100 * float(share):.0f}%" for width, share in row["shares"].items())
        print(
            f"{scheme:32s} {row['gbops_per_frame']:6.1f} GBOPs  mIoU {100 * row['accuracy']['miou']:.2f}, "
            f"{value:+.2f} ({low:+.2f} to {high:+.2f}) against {REFERENCE}  {row['sqnr_db']:.1f} dB  {shares}"
        )
    return results


def gap(results: dict[str, Any], scheme: str) -> tuple[float, float, float]:
    """mIoU minus that of `REFERENCE`, with its interval."""
    rows = results["rows"]
    return miou_interval(*(np.array(rows[text]["tallies"]) for text in (scheme, REFERENCE)))


def draw(found: list[dict[str, Any]]) -> None:
    """A row of panels per convention: mIoU against GBOPs, and the bits that locations take by tolerance."""
    picture, panels = figure(len(found), 2, 4.0 * len(found))
    for (cost, widths), results in zip(panels, found, strict=True):
        dress(cost, f"{results['source']}, convention {results['convention']}")
        dress(widths, "bits that locations of residuals take")
        against_cost(cost, results["rows"])
        stacked(widths, [results["rows"][scheme]["shares"] for scheme in SERIES["w8a8->w8a8"]])
    save(picture, "resq_dynamic")


def against_cost(cost: Axes, rows: dict[str, Any]) -> None:
    """Both series of tolerances, and the schemes of one width."""
    for bits, series in SERIES.items():
        points = [(rows[s]["gbops_per_frame"], 100 * rows[s]["accuracy"]["miou"]) for s in series]
        name = f"{bits.replace('->', '→')} adaptive"
        cost.plot(*zip(*points, strict=True), "o-", color=COLORS[bits], markersize=4, label=name)
        for tolerance, point in zip(TOLERANCES, points, strict=True):
            if tolerance not in (1, 2):  # they lie at the point of 0
                cost.annotate(f"τ={tolerance}", point, (3, -9), textcoords="offset points", fontsize=6)
    for scheme in FIXED:
        point = (rows[scheme]["gbops_per_frame"], 100 * rows[scheme]["accuracy"]["miou"])
        cost.plot(*point, "k^", markersize=5, label="one width" if scheme == FIXED[0] else None)
        name = scheme.replace("->", "→").replace(" T=3", "")
        cost.annotate(name, point, (0, 6), textcoords="offset points", fontsize=7, ha="center")
    cost.margins(x=0.1, y=0.15)
    cost.set_xlabel("GBOPs per frame", fontsize=8)
    cost.set_ylabel("mIoU against labels, %", fontsize=8)
    cost.legend(frameon=False, fontsize=8)


def stacked(axes: Axes, shares: list[dict[str, float]]) -> None:
    """A bar per tolerance of the share of the MACs at each width (keys are text once they were stored)."""
    below = np.zeros(len(shares))
    for width, color in (("0", "#e3e7ec"), ("4", "#8fb3d9"), ("8", "#2f6fb5")):
        heights = 100 * np.array([{str(k): v for k, v in share.items()}.get(width, 0.0) for share in shares])
        axes.bar(range(len(shares)), heights, 0.7, below, color=color, label=f"{width} bits")
        below += heights
    axes.set_xticks(range(len(shares)), [f"τ={tolerance}" for tolerance in TOLERANCES])
    axes.set_ylabel("% of the MACs of residual frames, w8a8→w8a8", fontsize=8)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.08))


if __name__ == "__main__":
    main()
