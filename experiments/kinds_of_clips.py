"""Residual frames beside frames of their cost, on clips of many kinds: what may be said of ResQ at large.

    python experiments/kinds_of_clips.py --clips FOLDER [FOLDER ...] [--data DIR] [--networks FOLDER]
        [--conventions NAME ...] [--workers N] [--again]

`w8a8->w4a4 T=3` and the two frame schemes of its bit operations, `w4a8` and `w8a4`, against floating point:
60 frames in ten runs of six all over each clip, other frames calibrate, as `videoquant compare` does. A pair
of clip and network that is in none of the folders is left out, and named. Writes
results/kinds_of_clips_CONVENTION.json.
"""

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import common
import numpy as np
from labelled import CONVENTIONS, DATASET, NAME, measured
from side_by_side import add_arguments, runner

import videoquant as vq
from videoquant.calibration.sampling import calibration_runs, calibration_spans, split
from videoquant.models.weights import require_weights

FRAMES = ("w4a8", "w8a4")
PAIR = "w8a8->w4a4 T=3"


@dataclass(frozen=True)
class Kind:
    """A clip and what looks at it.

    clip, network: file names; of the network without `.onnx`. size: the network's input; None is its own.
    """

    clip: str
    network: str
    size: tuple[int, int] | None = None


KINDS = {
    "street from above, static camera": Kind("vtest.avi", "posenet_432x768", (224, 384)),
    "one person, static camera": Kind("one-by-one-person-detection.mp4", "pose_landmark_full_256"),
    "road, static camera, noise": Kind("car-detection.mp4", "mobilenet_v2_224"),
    "leaves in the wind, static camera": Kind("tree.avi", "mobilenet_v2_224"),
    "talking head": Kind("carphone_pristine.mp4", "selfie_segmentation_256"),
    "the same, landmarks": Kind("carphone_pristine.mp4", "face_landmark_192"),
    "driving": Kind(DATASET, NAME),
    "hand-held, cuts": Kind("bikes.mp4", "posenet_432x768", (224, 384)),
    "drawn film, cuts, faces": Kind("Megamind.avi", "centerface", (256, 320)),
    "drawn film, one shot": Kind("bigbuckbunny.mp4", "waifu2x_photo_x2_144x176", (72, 88)),
}


def main() -> None:
    parser = common.arguments(__doc__.splitlines()[0], carphone=False)
    parser.add_argument(
        "--clips", type=Path, nargs="+", required=True, help="folders of clips, besides DATA's"
    )
    parser.add_argument("--networks", type=Path, help="a folder of networks, besides DATA/models")
    parser.add_argument("--conventions", nargs="+", choices=CONVENTIONS, default=CONVENTIONS)
    parser.add_argument("--again", action="store_true", help="measure anew what results/ already holds")
    options = add_arguments(parser).parse_args()
    files = {name: found for name, kind in KINDS.items() if (found := files_of(name, kind, options))}
    with runner(options) as run:
        for convention in options.conventions:
            work = partial(row, files=files, convention=convention)
            about = {"convention": convention, "pair": PAIR}
            name = f"kinds_of_clips_{convention}"
            say(measured(name, about, list(files), work, options.again, run), convention)


def files_of(name: str, kind: Kind, options: argparse.Namespace) -> tuple[Path, Path] | None:
    """The clip and the network of a kind; None, and a line that says so, where one is in no folder."""
    if kind.clip == DATASET:
        return options.data / DATASET, require_weights(kind.network, DATASET)
    clip = first([*options.clips, options.data / "clips"], kind.clip)
    folders = [options.data / "models"] + [options.networks] * bool(options.networks)
    network = first(folders, f"{kind.network}.onnx")
    if clip and network:
        return clip, network
    print(f"{name}: left out, no {kind.network if clip else kind.clip} in the folders")
    return None


def first(folders: list[Path], name: str) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).exists()), None)


def row(name: str, files: dict[str, tuple[Path, Path]], convention: str) -> dict[str, Any]:
    """The schemes on one clip: bit operations, and by run SQNR in dB and the task's measure."""
    kind, (clip, network) = KINDS[name], files[name]
    if kind.clip == DATASET:
        source: vq.Clip = vq.data.open(f"{DATASET}:{clip}#val").clip()
        loaded = vq.load(kind.network, checkpoint=network, size=source.size)
    else:
        source, loaded = vq.frames(clip), vq.load(network, size=kind.size)
    return measure(loaded, source, convention)


def measure(network: vq.Network, source: vq.Clip, convention: str) -> dict[str, Any]:
    """See `row`."""
    plan = split(len(source), None, [1, 3])
    quantized = []
    for text in (*FRAMES, PAIR):
        scheme = vq.Scheme.parse(text, convention)
        spans = calibration_spans(plan.free, scheme.period, calibration_runs(scheme))
        quantized.append(vq.quantize(network, scheme, source.runs(spans)))
    comparison = vq.compare(network, quantized, source.runs(plan.scored))
    if not comparison.complete:
        raise KeyboardInterrupt
    task = comparison.measures[0] if comparison.measures else None
    found: dict[str, Any] = {
        "frames": comparison.frames,
        "measure": task.label if task else None,
        "schemes": {},
    }
    for text, one in zip((*FRAMES, PAIR), comparison.rows, strict=True):
        runs = [
            one.per_frame[i : i + len(plan.scored[0])]
            for i in range(0, comparison.frames, len(plan.scored[0]))
        ]
        values = {"gbops": one.gbops_per_frame, "sqnr_db": [fmean(f["sqnr_db"] for f in run) for run in runs]}
        if task:
            seen = [[f["agreement"][task.name] for f in run if task.name in f["agreement"]] for run in runs]
            sign = 1 if task.higher_is_better else -1
            values["measure"] = [sign * fmean(run) if run else None for run in seen]
        found["schemes"][text] = values
    return found


def gain(row: dict[str, Any], key: str) -> tuple[float, float, float] | None:
    """The pair minus the better frame scheme, by the mean, with its 95% interval by bootstrap over runs."""
    columns = {text: values.get(key) for text, values in row["schemes"].items()}
    if None in columns.values():
        return None
    shown = [i for i, values in enumerate(zip(*columns.values(), strict=True)) if None not in values]
    if not shown:
        return None
    pair, *frames = ([columns[text][i] for i in shown] for text in (PAIR, *FRAMES))
    return common.difference(pair, max(frames, key=lambda values: float(np.mean(values))))


def say(results: dict[str, Any], convention: str) -> None:
    """A line per clip: by how much the pair is closer than the better frame scheme of its cost."""
    print(f"convention {convention}: {PAIR} minus the better of {' and '.join(FRAMES)}")
    for name, row in results["rows"].items():
        words = []
        for key, unit in (("sqnr_db", "dB"), ("measure", row["measure"])):
            found = gain(row, key)
            if found:
                value, low, high = found
                digits = 1 if key == "sqnr_db" else 3
                numbers = f"{value:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f}) {unit}"
                words.append(f"{numbers}, {common.verdict(low, high)}")
        print(f"  {name:36s}{'; '.join(words)}")


if __name__ == "__main__":
    main()
