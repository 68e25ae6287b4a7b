"""VideoIQ (ResQ, supplement, Figure 1): policies that pick a bit-width per frame, against random choice.

    python experiments/resq_videoiq.py --networks DIR [--data DIR] [--output DIR] [--initial FILE]

DIR holds forms of one network quantized frame by frame, w8a8-0.vq, w4a4-0.vq, w3a3-0.vq and w2a2-0.vq, as
`trained.py` writes them. For each λ a policy is trained on CamVid's train split (367 stills) and scored on
the labelled video (val). Which network a frame goes through is all that a policy decides, so each network is
scored once, and a policy's score is made of its frames. Random choice of the same average cost mixes the two
networks whose costs surround it. Writes results/resq_videoiq.json and .png.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import dress, figure, miou, miou_interval, save, verdict
from labelled import DATASET, Video, arguments, measured, open_video
from side_by_side import runner

import videoquant as vq
from videoquant.comparison.workers import Runner
from videoquant.files import output_folder
from videoquant.simulate.policy import PolicyNetwork
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.training.choices import check_choices, choice_bops, fingerprint
from videoquant.training.policy import LOSSES_FILE, POLICY_FILE, policy_recipe, train_policy
from videoquant.training.policy_file import load_policy
from videoquant.training.trainer import STATE_FILE

FILES = ("w8a8-0.vq", "w4a4-0.vq", "w3a3-0.vq", "w2a2-0.vq")
TRADEOFFS = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0)
FRAME, POLICY, RANDOM = "#2f6fb5", "#3a8f4d", "#66717f"


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], conventions=False)
    parser.add_argument("--networks", type=Path, required=True, help=f"the folder of {', '.join(FILES)}")
    parser.add_argument("--output", type=Path, default=Path("videoiq-training"), help="for the policies")
    parser.add_argument("--initial", type=Path, help="MobileNetV2 of ImageNet as ONNX; default: random")
    parser.add_argument("--epochs", type=int, default=30, help="of each policy")
    parser.add_argument("--stills", type=int, help="train on so many pictures, evenly chosen; default: all")
    options = parser.parse_args()
    choices = [vq.load_quantized(options.networks / file) for file in FILES]
    stills = vq.data.open(f"{DATASET}:{options.data / DATASET}#train")
    if options.stills:
        stills = stills[:: max(1, len(stills) // options.stills)]
    folder = output_folder(options.output)
    video, epochs = open_video(options), options.epochs
    with runner(options) as run:
        draw(measure(video, choices, stills, folder, epochs, options.initial, options.again, run=run))


def measure(
    video: Video,
    choices: Sequence[QuantizedNetwork],
    stills: vq.data.Dataset,
    folder: Path,
    epochs: int,
    initial: Path | None = None,
    again: bool = False,
    tradeoffs: Sequence[float] = TRADEOFFS,
    run: Runner | None = None,
) -> dict[str, Any]:
    """The networks by themselves, then a policy for every λ."""
    check_choices(choices)
    names = [str(choice.scheme) for choice in choices]
    about = video.about() | {
        "choices": names,
        "bops": choice_bops(choices),
        "networks": fingerprint(choices),
        "stills": len(stills),
        "epochs": epochs,
        "initial": initial.name if initial else None,
    }
    train = partial(trained, choices, stills, folder, epochs=epochs, initial=initial)
    keys = [*names, *(f"λ={tradeoff:g}" for tradeoff in tradeoffs)]
    results = measured("resq_videoiq", about, keys, partial(row, video, choices, train), again, run)
    for key in keys[len(names) :]:
        point = scored(results, key)
        value, low, high = 100 * np.array(point["against_random"])
        counts = np.bincount(results["rows"][key]["chosen"], minlength=len(names))
        print(
            f"{key:8s} {point['gbops']:6.1f} GBOPs  mIoU {100 * point['miou']:.2f}, {value:+.2f} ({low:+.2f} "
            f"to {high:+.2f}) against random choice: {word(point)}; frames: "
            + ", ".join(f"{n} {name}" for n, name in zip(counts, names, strict=True))
        )
    return results


def row(
    video: Video, choices: Sequence[QuantizedNetwork], train: Callable[[float], PolicyNetwork], key: str
) -> dict[str, Any]:
    """Of a network its score, of a policy, "λ=…", what it chose."""
    for choice in choices:
        if str(choice.scheme) == key:
            return video.score(choice)
    tradeoff = float(key.removeprefix("λ="))
    policy = train(tradeoff)
    stream = policy.stream()
    chosen = [stream.choose(frame) for frame in video.source.runs([range(video.frames)])]
    return {"tradeoff": tradeoff, "chosen": chosen, "policy_bops": policy.policy_bops}


def trained(
    choices: Sequence[QuantizedNetwork],
    stills: vq.data.Dataset,
    folder: Path,
    tradeoff: float,
    epochs: int,
    initial: Path | None,
) -> PolicyNetwork:
    """The policy of one λ: read, or trained, or trained on where it was stopped."""
    own = output_folder(folder / f"lambda-{tradeoff:g}")
    if (own / POLICY_FILE).exists():
        return load_policy(own / POLICY_FILE, choices)
    print(f"training the policy of λ = {tradeoff:g}", flush=True)
    return train_policy(
        choices,
        stills,
        own,
        tradeoff=tradeoff,
        recipe=policy_recipe(epochs=epochs),
        initial=initial,
        losses=folder / LOSSES_FILE,
        resume=(own / STATE_FILE).exists(),
    )


def scored(results: dict[str, Any], key: str) -> dict[str, Any]:
    """A policy's GBOPs per frame (without its own), mIoU, and its difference from random choice.

    constant: whether it takes the same network for every frame, so that there is no random choice to beat.
    """
    rows, bops = results["rows"], np.array(results["bops"])
    tallies = np.array([rows[name]["tallies"] for name in results["choices"]])  # choices×frames×2×classes
    chosen = np.array(rows[key]["chosen"])
    own = tallies[chosen, np.arange(len(chosen))]
    cost = float(bops[chosen].mean())
    random = np.tensordot(mixture(bops, cost), tallies, 1)
    return {
        "gbops": cost / 1e9,
        "miou": miou(own),
        "against_random": miou_interval(own, random),
        "constant": len(set(chosen.tolist())) == 1,
    }


def word(point: dict[str, Any]) -> str:
    """What a point says of the paper's finding that a policy is no better than random choice."""
    if point["constant"]:
        return "one network for all frames"
    return "reversed" if verdict(*point["against_random"][1:]) == "confirmed" else "confirmed"


def mixture(bops: np.ndarray, cost: float) -> np.ndarray:
    """How likely random choice takes each network: only the two whose costs surround its average, `cost`."""
    order = np.argsort(bops)
    above = min(max(int(np.searchsorted(bops[order], cost)), 1), len(bops) - 1)
    low, high = order[above - 1], order[above]
    share = (cost - bops[low]) / (bops[high] - bops[low])
    shares = np.zeros(len(bops))
    shares[low], shares[high] = 1 - share, share
    return shares


def draw(results: dict[str, Any]) -> None:
    """mIoU against GBOPs: the networks, random choice between neighbours, and policies."""
    picture, panels = figure(1, 1, 4.2)
    axes = panels[0, 0]
    dress(axes, f"{results['network']} on {results['source']}: VideoIQ against random choice")
    bops = np.array(results["bops"])
    tallies = np.array([results["rows"][name]["tallies"] for name in results["choices"]])
    costs = np.linspace(bops.min(), bops.max(), 120)
    random = [100 * miou(np.tensordot(mixture(bops, cost), tallies, 1)) for cost in costs]
    axes.plot(costs / 1e9, random, "--", color=RANDOM, linewidth=1, label="random choice")
    axes.plot(bops / 1e9, [100 * miou(t) for t in tallies], "o", color=FRAME, label="one network")
    for name, x, frames in zip(results["choices"], bops / 1e9, tallies, strict=True):
        axes.annotate(name, (x, 100 * miou(frames)), (0, 6), textcoords="offset points", fontsize=7)
    points = {key: scored(results, key) for key in results["rows"] if key.startswith("λ=")}
    for number, (key, point) in enumerate(points.items()):
        place = (point["gbops"], 100 * point["miou"])
        axes.plot(*place, "^", color=POLICY, label="VideoIQ" if number == 0 else None)
        axes.annotate(key, place, (4, -10), textcoords="offset points", fontsize=7, color=POLICY)
    axes.margins(y=0.12)
    axes.set_xlabel("GBOPs per frame, without the policy's own", fontsize=8)
    axes.set_ylabel("mIoU against labels, %", fontsize=8)
    axes.legend(frameon=False, fontsize=8)
    save(picture, "resq_videoiq")


if __name__ == "__main__":
    main()
