"""Frame and residual quantization against ground truth: the ResQ paper's supplement, on CamVid.

    python experiments/resq_camvid.py [--data DIR] [--checkpoint FILE] [--frames N]

DDRNet-23-slim on the labelled video of CamVid (val, 101 frames of one drive, 11 classes), the schemes that
`videoquant compare` takes for a labelled video: frame quantization at 8, 4, 3 and 2 bits, residual pairs at
T = 3 (Figures 1 and 2, there with quantization-aware training and on Cityscapes), weights per channel against
per tensor (Table 2). All frames are scored, so that some of them calibrate too; calibration sees no labels.
Writes results/resq_camvid.json and .png.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import arguments, dress, figure, save, store
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

import videoquant as vq
from videoquant.calibration.sampling import calibration_runs
from videoquant.cli.compare import calibration_sets, describe, plan_frames
from videoquant.comparison import DEFAULT_LABELLED_SCHEMES
from videoquant.data.dataset import LabelledClip
from videoquant.models.weights import require_weights
from videoquant.report.labels import add_labels
from videoquant.tasks import task_for
from videoquant.tasks.scoring import score_for

NAME, DATASET = "ddrnet23_slim", "camvid"
PER_TENSOR = " per-tensor"
STORED = ("scheme", "gbops_per_frame", "sqnr_db", "agreement", "accuracy", "accuracy_by_label")
FRAME, RESIDUAL, FP32 = "#2f6fb5", "#cf5f1d", "#66717f"


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], carphone=False)
    parser.add_argument("--checkpoint", type=Path, help=f"weights of {NAME}; default: the shipped ones")
    parser.add_argument("--frames", type=int, help="score so many; default: all")
    options = parser.parse_args()
    source = vq.data.open(f"{DATASET}:{options.data / DATASET}#val").clip()
    weights = options.checkpoint or require_weights(NAME, DATASET)
    network = vq.load(NAME, checkpoint=weights, size=source.size)
    results = measure(network, source, DEFAULT_LABELLED_SCHEMES, options.frames or len(source))
    print("written:", store("resq_camvid", {"weights": weights.name, **results}))
    draw(results)


def measure(network: vq.Network, source: LabelledClip, schemes: Sequence[str], count: int) -> dict[str, Any]:
    """Every scheme over `count` frames of the source, as `videoquant compare` plans it.

    Rows have what `STORED` names of a comparison's.
    """
    wanted = [vq.Scheme.parse(text) for text in schemes]
    plan = plan_frames(source, count, wanted, calibrated_elsewhere=False)
    sets = calibration_sets(source, plan.free, wanted)
    quantized = []
    for scheme in wanted:
        quantized.append(vq.quantize(network, scheme, sets[scheme.period, calibration_runs(scheme)]))
        print("calibrated", scheme, flush=True)
    task = task_for(network)
    assert task is not None
    comparison = vq.compare(
        network,
        quantized,
        source.runs(plan.scored),
        source=source.name,
        calibration=describe(source, source, plan, sets),
        score=lambda: score_for(task, source.dataset),
    )
    rows = [{key: getattr(row, key) for key in STORED} for row in comparison.rows]
    for row in rows:
        print(f"{row['scheme']:28s} {row['gbops_per_frame']:8.1f} GBOPs  mIoU {row['accuracy']['miou']:.4f}")
    return {
        "network": network.name,
        "source": comparison.source,
        "size": list(network.size),
        "frames": comparison.frames,
        "calibration": comparison.calibration,
        "rows": rows,
    }


def draw(results: dict[str, Any]) -> None:
    """mIoU against GBOPs: frame quantization as a line, residual pairs as points; and weights as bars."""
    rows = {row["scheme"]: (row["gbops_per_frame"], row["accuracy"]["miou"]) for row in results["rows"]}
    picture, panels = figure(1, 2, 4.2)
    left, right = panels[0]
    dress(left, f"{results['network']} on {results['source']}: mIoU against labels")
    dress(right, "mIoU with weights per tensor and per channel")
    by_granularity(right, rows)
    against_cost(left, rows)
    save(picture, "resq_camvid")


def against_cost(axes: Axes, rows: dict[str, tuple[float, float]]) -> None:
    """Every scheme with weights per channel; fp32, which costs 16 times as much as w8a8, is a line across."""
    frame = {text: rows[text] for text in rows if "->" not in text and text != "fp32"}
    residual = {text: rows[text] for text in rows if "->" in text and PER_TENSOR not in text}
    axes.axhline(rows["fp32"][1], color=FP32, linestyle="--", linewidth=1, label="fp32")
    axes.plot(*zip(*frame.values(), strict=True), "o-", color=FRAME, label="frame quantization")
    axes.plot(*zip(*residual.values(), strict=True), "^", color=RESIDUAL, label="residual pairs, T = 3")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.14, y=0.1)
    axes.set_xlabel("GBOPs per frame", fontsize=8)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    names = [text.replace("->", "→").replace(" T=3", "") for text in (*frame, *residual)]
    colors = [FRAME] * len(frame) + [RESIDUAL] * len(residual)
    picture = axes.get_figure(root=True)
    assert picture is not None
    resolution = picture.dpi
    picture.set_dpi(72)  # `add_labels` measures in points
    add_labels(axes, [*frame.values(), *residual.values()], names, colors)
    picture.set_dpi(resolution)


def by_granularity(axes: Axes, rows: dict[str, tuple[float, float]]) -> None:
    """A pair of bars for each residual pair that was measured both ways, with the difference above."""
    pairs = [text for text in rows if f"{text}{PER_TENSOR}" in rows]
    for place, text in enumerate(pairs):
        tensor, channel = rows[f"{text}{PER_TENSOR}"][1], rows[text][1]
        axes.bar(place - 0.2, tensor, 0.36, color=FP32, label="per tensor" if place == 0 else None)
        axes.bar(place + 0.2, channel, 0.36, color=RESIDUAL, label="per channel" if place == 0 else None)
        height = max(tensor, channel)
        axes.annotate(
            f"{100 * (channel - tensor):+.2f}", (place, height), (0, 3), textcoords="offset points",
            ha="center", fontsize=8,
        )  # fmt: skip
    axes.set_xticks(range(len(pairs)), [text.replace("->", "→\n").replace(" T=3", "") for text in pairs])
    axes.set_xlabel("above: the difference in percentage points", fontsize=8)
    axes.margins(y=0.14)
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.2))


if __name__ == "__main__":
    main()
