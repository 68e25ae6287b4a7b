"""ResQ, supplement, Figure 4: pictures of trained frame and residual quantization at 4, 3 and 2 bits.

    python experiments/resq_figure4.py [--data DIR] [--networks DIR] [--conventions NAME ...]

A frame in the last place of its cycle, furthest from the keyframe; the pairs' keyframes have the next higher
precision of Figure 1. Above each picture stands the mIoU of that frame. Writes
results/resq_figure4_CONVENTION.png.
"""

from typing import Any

import numpy as np
import torch
from common import figure, save
from labelled import Video, arguments, open_video
from trained import add_arguments, trained

import videoquant as vq
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import task_for
from videoquant.tasks.drawing import palette, tint
from videoquant.tasks.scoring import score_for

SCHEMES = (("w4a4", "w8a8->w4a4 T=3"), ("w3a3", "w4a4->w3a3 T=3"), ("w2a2", "w3a3->w2a2 T=3"))
PLACES = (20, 74)  # frames of the video, each the last of a cycle of three


def main() -> None:
    options = add_arguments(arguments(__doc__.splitlines()[0])).parse_args()
    video = open_video(options)
    for convention in options.conventions:
        rows = [(("input", "label"), [first_two(video, place) for place in PLACES])]
        for pair in SCHEMES:
            pictures = [segmented(video, trained(video, scheme, convention, options)) for scheme in pair]
            rows.append((pair, list(zip(*pictures, strict=True))))
        draw(rows, convention)


def first_two(video: Video, place: int) -> tuple[tuple[np.ndarray, str], tuple[np.ndarray, str]]:
    """The frame, and its label drawn over it."""
    sample = video.source.dataset[place]
    classes = sample.target.labels.astype(int)
    known = (classes != sample.target.void).astype(np.float32)
    colors = palette(len(video.source.dataset.labels))[
        np.minimum(classes, len(video.source.dataset.labels) - 1)
    ]
    return (sample.pixels, ""), (tint(sample.pixels, known, colors, 0.55), "")


def segmented(video: Video, quantized: QuantizedNetwork) -> list[tuple[np.ndarray, str]]:
    """What a trained network says of the frames at `PLACES`, drawn over them, and its mIoU there."""
    stream, task = quantized.stream(), task_for(video.network)
    found = []
    with torch.no_grad():
        for frame in video.source.runs([range(max(PLACES) + 1)]):
            outputs = stream.run(frame)
            if frame.index in PLACES:
                score = score_for(task, video.source.dataset)
                score.update(frame.pixels, outputs, frame.sample.target)
                text = f"mIoU {100 * score.result()['miou']:.1f}"
                found.append((task.draw(frame.pixels, outputs), text))
    return found


def draw(rows: list[tuple[tuple[str, str], list[Any]]], convention: str) -> None:
    """A row per precision, two columns per frame."""
    picture, panels = figure(len(rows), 2 * len(PLACES), 7.6)
    for line, (names, frames) in zip(panels, rows, strict=True):
        for place, pair in enumerate(frames):
            for side, (pixels, text) in enumerate(pair):
                axes = line[2 * place + side]
                axes.imshow(pixels)
                axes.axis("off")
                name = str(vq.Scheme.parse(names[side])).replace("->", "→") if text else names[side]
                axes.set_title(f"{name}   {text}".strip(), loc="left", fontsize=8)
    save(picture, f"resq_figure4_{convention}")


if __name__ == "__main__":
    main()
