"""ResQ, supplement, Figure 2: IoU per class at 2 bits, trained: W2A2 frames against W3A3→W2A2, on CamVid.

    python experiments/resq_figure2.py [--data DIR] [--networks DIR] [--conventions NAME ...]

Of residual quantization only the frames at 2 bits count, as in the paper, and of frame quantization the same
ones. In the conventions of docs/schemes.md. Reads results/resq_figure1_CONVENTION.json, whose rows it
measures where they are missing. Writes results/resq_figure2_CONVENTION.json, and resq_figure2.png of both.
"""

from typing import Any

import numpy as np
from common import bar_pair, dress, figure, resampled, save, store, verdict
from labelled import arguments, open_video
from matplotlib.axes import Axes
from resq_camvid import FRAME, RESIDUAL
from resq_figure1 import measure
from side_by_side import runner
from trained import add_arguments

FRAME_SCHEME, PAIR, PERIOD = "w2a2", "w3a3->w2a2 T=3", 3
LOOKS = (("frames, W2A2", FRAME), ("residuals, W3A3→W2A2", RESIDUAL))


def main() -> None:
    options = add_arguments(arguments(__doc__.splitlines()[0])).parse_args()
    video = open_video(options)
    with runner(options) as run:
        schemes = (FRAME_SCHEME, PAIR)
        found = [measure(video, name, options, schemes, run) for name in options.conventions]
    picture, panels = figure(len(found), 1, 4.0 * len(found))
    for axes, results in zip(panels[:, 0], found, strict=True):
        convention = results["convention"]
        classes = compare(results, video.source.dataset.labels)
        store(f"resq_figure2_{convention}", {**video.about(convention), "classes": classes})
        print(f"convention {convention}")
        for name, row in classes.items():
            values = f"{row['frame']:6.1f} {row['residual']:6.1f}  {row['gain']:+.1f} {row['interval']}"
            print(f"{name:12s} {values}")
        draw(axes, classes, results)
    save(picture, "resq_figure2")


def compare(results: dict[str, Any], labels: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Per class, in percent: IoU of both, the gain of residual quantization, its interval and the verdict."""
    residual = [t for t in range(results["frames"]) if t % PERIOD]
    pairs = [np.array(results["rows"][s]["tallies"])[residual] for s in (FRAME_SCHEME, PAIR)]
    counts = resampled(len(residual), stretch=8)  # stretches of 12 frames, less their keyframes
    found = {}
    for number, name in enumerate(labels):
        values = [100 * iou(t, number, np.ones((1, len(residual)), int))[0] for t in pairs]
        gains = 100 * (iou(pairs[1], number, counts) - iou(pairs[0], number, counts))
        low, high = np.nanquantile(gains, (0.025, 0.975))
        found[name] = {
            "frame": values[0],
            "residual": values[1],
            "gain": values[1] - values[0],
            "interval": [float(low), float(high)],
            "verdict": verdict(low, high),
        }
    return found


def iou(tallies: np.ndarray, label: int, counts: np.ndarray) -> np.ndarray:
    """The IoU of one class in each sample; see `common.mious`."""
    both, either = np.moveaxis(counts @ tallies[:, :, label], 1, 0).astype(float)
    ratio: np.ndarray = np.divide(both, either, out=np.full_like(both, np.nan), where=either > 0)
    return ratio


def draw(axes: Axes, classes: dict[str, dict[str, Any]], results: dict[str, Any]) -> None:
    """Pairs of bars, hard classes first, with the interval of the residual's gain on top."""
    words = f"{results['network']} on {results['source']}, convention {results['convention']}"
    dress(axes, f"{words}, frames at 2 bits, trained: IoU, %")
    order = sorted(classes, key=lambda name: classes[name]["frame"])
    for place, name in enumerate(order):
        row = classes[name]
        low, high = row["interval"]
        text = f"{row['gain']:+.1f}\n({low:+.1f} to\n{high:+.1f})"
        bar_pair(axes, place, (row["frame"], row["residual"]), LOOKS, text, 6.5)
    axes.set_xticks(range(len(order)), order)
    axes.set_ylim(0, 115)
    axes.legend(frameon=False, fontsize=8, loc="upper left")


if __name__ == "__main__":
    main()
