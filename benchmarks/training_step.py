"""What quantization-aware training costs: a step of it against one in floating point on as many frames.

    python benchmarks/training_step.py [--data DIR] [--network NAME] [--crop HxW] [--steps N] [--threads N]
        [--precision fp32|bf16] [--json F]

Clips over CamVid's training images: a step has as many frames in floating point, as a batch of pictures, and
at each scheme. Steps are whole: forward, loss, backward, optimizer, averaged weights. Contenders take turns,
so that all see the same machine.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

import videoquant as vq
from videoquant.cli.sizes import parse_size
from videoquant.models import create
from videoquant.models.loading import capture_model
from videoquant.models.weights import require_weights
from videoquant.training.objectives import objective_for
from videoquant.training.processes import ALONE
from videoquant.training.recipe import Recipe
from videoquant.training.trainer import Trainer
from videoquant.training.tuning import scheme_trainer

SCHEMES = ("w4a4", "w8a8->w4a4 T=3", "w8a8->w4a4 T=3 recurrent", "w8a8->w4a8 T=3 adaptive tau=1")
FRAMES = 6  # of a step
WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--network", default="ddrnet23_slim")
    parser.add_argument("--crop", default="240x320", metavar="HxW")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        race(options, contenders(options, Path(folder)))


def race(options: argparse.Namespace, trainers: dict[str, Trainer]) -> None:
    """Time their steps in turns, and tell."""
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    batches = {name: next(trainer.batches.of_epoch(0)) for name, trainer in trainers.items()}
    for step in range(WARM_UP + options.steps):
        for name, trainer in trainers.items():
            start = time.perf_counter()
            trainer._step(*batches[name])
            if step >= WARM_UP:
                seconds[name].append(time.perf_counter() - start)
    base = statistics.median(seconds["fp32"])
    rows = [
        {"step": name, "ms_median": 1e3 * statistics.median(s), "ratio": statistics.median(s) / base}
        for name, s in seconds.items()
    ]
    for row in rows:
        print(f"{row['step']:32s} {row['ms_median']:8.1f} ms  {row['ratio']:.2f}×")
    if options.json:
        options.json.write_text(
            json.dumps({"threads": options.threads, "rows": rows}) + "\n", encoding="utf-8"
        )


def contenders(options: argparse.Namespace, folder: Path) -> dict[str, Trainer]:
    """A training in floating point, and one of each scheme, all with `FRAMES` frames in a step."""
    crop = parse_size(options.crop, "--crop")
    weights = require_weights(options.network, "camvid")
    stills = vq.data.open(f"camvid:{options.data / 'camvid'}#train")[:24]
    recipe = Recipe.for_scheme(
        "segmentation", crop, epochs=1, batch=FRAMES, seed=0, precision=options.precision
    )
    model = create(options.network, weights)
    found = {"fp32": Trainer(model, objective_for(model, stills, recipe), folder, ALONE)}
    network = capture_model(options.network, create(options.network, weights), crop)
    for text in SCHEMES:
        scheme = vq.Scheme.parse(text)
        own = replace(recipe, batch=FRAMES // scheme.period)
        found[text] = scheme_trainer(network, scheme, stills, own, folder)
    return found


if __name__ == "__main__":
    main()
