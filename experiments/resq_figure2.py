"""ResQ, supplement, Figure 2: IoU per class at 2 bits, trained: W2A2 frames against W3A3→W2A2, on CamVid.

    python experiments/resq_figure2.py [--data DIR] [--checkpoint FILE] [--networks DIR]

Of residual quantization only the frames at 2 bits count, as in the paper, and of frame quantization the same
ones. Reads results/resq_figure1.json, which it makes where it is missing. Writes results/resq_figure2.json
and .png.
"""

from functools import partial
from typing import Any

import numpy as np
from common import bar_pair, dress, figure, resampled, save, store, verdict
from labelled import arguments, measured, open_video
from resq_camvid import FRAME, RESIDUAL
from resq_figure1 import trained_row
from side_by_side import runner
from trained import add_arguments

FRAME_SCHEME, PAIR, PERIOD = "w2a2", "w3a3->w2a2 T=3", 3
LOOKS = (("frames, W2A2", FRAME), ("residuals, W3A3→W2A2", RESIDUAL))


def main() -> None:
    options = add_arguments(arguments(__doc__.splitlines()[0])).parse_args()
    video = open_video(options)
    row = partial(trained_row, video=video, options=options)
    with runner(options) as run:
        results = measured("resq_figure1", video.about(), (FRAME_SCHEME, PAIR), row, options.again, run)
    classes = compare(results, video.source.dataset.labels)
    store("resq_figure2", {**video.about(), "classes": classes})
    for name, row in classes.items():
        print(f"{name:12s} {row['frame']:6.1f} {row['residual']:6.1f}  {row['gain']:+.1f} {row['interval']}")
    draw(classes, results)


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


def draw(classes: dict[str, dict[str, Any]], results: dict[str, Any]) -> None:
    """Pairs of bars, hard classes first, with the interval of the residual's gain on top."""
    picture, panels = figure(1, 1, 4.0)
    axes = panels[0, 0]
    dress(axes, f"{results['network']} on {results['source']}, frames at 2 bits, trained: IoU, %")
    order = sorted(classes, key=lambda name: classes[name]["frame"])
    for place, name in enumerate(order):
        row = classes[name]
        low, high = row["interval"]
        text = f"{row['gain']:+.1f}\n({low:+.1f} to\n{high:+.1f})"
        bar_pair(axes, place, (row["frame"], row["residual"]), LOOKS, text, 6.5)
    axes.set_xticks(range(len(order)), order)
    axes.set_ylim(0, 115)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    save(picture, "resq_figure2")


if __name__ == "__main__":
    main()
