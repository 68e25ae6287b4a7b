"""DDRNet-23-slim (or --network) trained at low bits on the training images of CamVid, each scheme once.

A network lies in --networks (default experiments/networks, which git ignores) as
NETWORK/CONVENTION/SCHEME-SEED.vq (conventions: docs/schemes.md). Where it is missing it is trained, and a
training that was stopped goes on where it was. Schemes without a time axis go --passes times over the images,
those of T = 3 a third as often over clips filmed from them: as many frames. On a GPU where there is one, and
in bf16 where the machine multiplies it.

    python experiments/trained.py SCHEME ... [--conventions NAME ...] [--seeds N ...]
        [--data DIR] [--networks DIR]

trains some of them before they are needed: two of these, of different schemes, use two cores better than one.
"""

import argparse
from itertools import product
from pathlib import Path

from labelled import DATASET, Video, arguments, open_video

import videoquant as vq
from videoquant.cli.training_run import default_precision
from videoquant.models import create
from videoquant.models.loading import capture_model
from videoquant.models.weights import require_weights
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.training.processes import processes
from videoquant.training.recipe import Recipe
from videoquant.training.trainer import STATE_FILE
from videoquant.training.tuning import scheme_trainer

BATCH, CLIP_BATCH = 6, 3


def trained(
    video: Video, scheme: str, convention: str, options: argparse.Namespace, seed: int | None = None
) -> QuantizedNetwork:
    """The trained network of a scheme, in the size of the video; see the top of this file.

    seed: default the first of `--seeds`.
    """
    seed = options.seeds[0] if seed is None else seed
    words = scheme.replace("->", "-").replace("=", "").replace(" ", "-")
    path = options.networks / options.network / convention / f"{words}-{seed}.vq"
    if not path.exists():
        train(video, scheme, convention, seed, options, path)
    return vq.load_quantized(path)


def train(
    video: Video, scheme: str, convention: str, seed: int, options: argparse.Namespace, path: Path
) -> None:
    """Train one scheme and write its file; its state lies beside it while that lasts."""
    wanted = vq.Scheme.parse(scheme, convention)
    weights = options.checkpoint or require_weights(options.network, DATASET)
    crop = (
        video.source.size
    )  # whole frames: on smaller crops DDRNet adapts to their size, and loses on frames
    network = capture_model(options.network, create(options.network, weights), crop)
    stills = vq.data.open(f"{DATASET}:{options.data / DATASET}#train")
    passes = max(1, options.passes // wanted.period)
    batch = BATCH if wanted.period == 1 else CLIP_BATCH
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / STATE_FILE
    with processes() as among:
        precision = default_precision("segmentation", among.device)
        recipe = Recipe.for_scheme(
            "segmentation", crop, epochs=passes, batch=batch, seed=seed, precision=precision
        )
        trainer = scheme_trainer(network, wanted, stills, recipe, folder, resume=state.exists(), among=among)
        place = f"step {trainer.progress.step} of {trainer.steps}"
        print(f"training {scheme}, convention {convention}, seed {seed}: {place}", flush=True)
        if not trainer.run(on_epoch=lambda progress: print(scheme, progress.history[-1], flush=True)):
            raise KeyboardInterrupt
    vq.save(trainer.average.quantized(video.network), path)
    state.unlink()
    folder.rmdir()


def add_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The options that trainings have."""
    default = Path(__file__).parent / "networks"
    parser.add_argument(
        "--networks", type=Path, default=default, help="trained networks; what is missing is trained"
    )
    parser.add_argument("--passes", type=int, default=9, help="over the training images (default 9)")
    words = "of the trainings; where one is wanted, the first (default 0)"
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help=words)
    return parser


def main() -> None:
    parser = add_arguments(arguments(__doc__.splitlines()[0]))
    parser.add_argument("schemes", nargs="+", metavar="SCHEME", help='e.g. w2a2 "w8a8->w4a4 T=3"')
    options = parser.parse_args()
    video = open_video(options)
    for convention, seed, scheme in product(options.conventions, options.seeds, options.schemes):
        trained(video, scheme, convention, options, seed)


if __name__ == "__main__":
    main()
