"""Residual schemes beside frame schemes: is the residual at least as close as every frame scheme of its cost?

    python experiments/frame_codes.py [--models DIR ...] [--clips FILE ...] [--only NAME ...]
        [--words WORDS] [--workers N] [--verdict]

Every network of the folders on every clip, first and last layers at 8 bits and as the rest: about 16 frames
of a clip's first half calibrate, 24 in a row of its second half are scored against the floating-point
network, the first a keyframe. Writes results/frame_codes.json, row by row: what was stopped goes on where it
was. Networks are taken at the sizes of `SIZES`, where they would cost hours at their own. Before a moving
camera with labels: `resq_camvid.py`.
"""

import json
import math
import warnings
from functools import lru_cache, partial
from pathlib import Path

from common import RESULTS, arguments, difference, run, store
from side_by_side import add_arguments, done, runner

import videoquant as vq
from videoquant.calibration.sampling import calibration_runs, calibration_spans
from videoquant.costs.bops import amortised_bops, frame_bops
from videoquant.tasks import primary_output, task_for
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.sqnr import Sqnr

FRAME = ("w4a4", "w4a8", "w8a4")
RESIDUAL = ("w8a8->w4a4 T=3", "w8a8->w8a4 T=3", "w8a8->w4a4 T=12", "w8a8->w8a4 T=12")
EDGES = ("", " head=2 tail=2")
SCORED = 24
SIZES = {"centerface": (256, 320), "mtcnn_pnet": (120, 160), "ppocrv2_cls": (48, 192)}
SIZES |= {"ppocrv4_det": (160, 224), "ppocrv4_rec": (48, 160)}
SIZES |= {"posenet_432x768": (224, 384), "waifu2x_photo_x2_144x176": (72, 88)}
SIZES |= {"u2netp": (160, 160), "picodet_layout": (320, 320)}


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], carphone=False)
    parser.add_argument("--models", type=Path, nargs="+", help="folders of networks (DATA/models)")
    parser.add_argument("--clips", type=Path, nargs="+", help="clips (both of DATA/clips)")
    parser.add_argument("--only", nargs="+", help="networks, by a part of their file's name")
    parser.add_argument("--words", default="", help="words that every scheme has besides, such as equalize")
    parser.add_argument("--verdict", action="store_true", help="measure nothing, say what is stored")
    options = add_arguments(parser).parse_args()
    path = RESULTS / "frame_codes.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not options.verdict:
        warnings.simplefilter("ignore")  # clips that show little are among them
        files = [
            file for folder in options.models or [options.data / "models"] for file in folder.glob("*.onnx")
        ]
        chosen = [
            file for file in files if not options.only or any(part in file.stem for part in options.only)
        ]
        macs = {file: sum(load(file).macs.values()) for file in chosen}
        clips = options.clips or sorted((options.data / "clips").glob("*.mp4"), reverse=True)
        parts = {
            f"{file.stem}, {clip.stem}, {said}": (file, clip, said)
            for file in sorted(chosen, key=lambda file: macs[file])
            for clip in clips
            for said in (
                f"{text}{edges} {options.words}".rstrip() for edges in EDGES for text in (*FRAME, *RESIDUAL)
            )
        }
        missing = [key for key in parts if key not in rows]
        with runner(options) as workers:
            for key, row in done(missing, partial(measure, parts=parts), workers):
                rows[key] = row
                store("frame_codes", rows)
                print(f"{key}: {row['sqnr_db']:.2f} dB", flush=True)
    verdict(rows)


def load(file: Path) -> vq.Network:
    return vq.load(file, size=SIZES.get(file.stem))


@lru_cache(1)  # rows of one network and clip come one after the other
def judged(file: Path, clip: Path) -> tuple:
    """A network, a clip, the inputs that are scored, and what floating point gives for them."""
    network, source = load(file), vq.frames(clip)
    half = len(source) // 2
    frames = [network.prepare(frame) for frame in source.runs([range(half, half + SCORED)])]
    return network, source, frames, [run(network, x) for x in frames]


def measure(key: str, parts: dict[str, tuple[Path, Path, str]]) -> dict:
    """The row of a network, a clip and a scheme."""
    file, clip, said = parts[key]
    network, source, frames, references = judged(file, clip)
    scheme = vq.Scheme.parse(said)
    spans = calibration_spans([range(len(source) // 2)], scheme.period, calibration_runs(scheme))
    quantized = vq.quantize(network, scheme, list(source.runs(spans)))
    return {"gbops": gbops(network, scheme), **score(quantized, frames, references)}


def gbops(network: vq.Network, scheme: vq.Scheme) -> float:
    """Bit operations per frame, in 10⁹."""
    key, residual = (frame_bops(network, scheme, is_key) for is_key in (True, False))
    return amortised_bops(key, residual, scheme.period) / 1e9


def score(quantized, frames, references) -> dict:
    """SQNR of the first output, the task's measure by frame, how many quantizers take frame codes."""
    network, stream, total = quantized.network, quantized.stream(), Sqnr()
    output, task = primary_output(network), task_for(network)
    measure = task.measures[0] if task else None
    measures: list[float] = []
    for x, reference in zip(frames, references, strict=True):
        found = stream.run(x)
        total.update(reference[output], found[output])
        if measure:  # a frame without what the task measures has none
            value = agreement_for(task).update(reference, found).get(measure.name, math.nan)
            measures.append(value if measure.higher_is_better else -value)
    taken = [grids.of_frame for grids in quantized.grids.values()]
    return {"sqnr_db": total.result(), "measures": measures, "of_frame": sum(taken), "quantizers": len(taken)}


def verdict(rows: dict) -> None:
    """Each residual scheme against the closest frame scheme of its cost or below, and against w4a4."""
    gains, missed = [], 0
    for key, row in rows.items():
        where, text = key.rsplit(", ", 1)
        scheme = next((known for known in RESIDUAL if f"{text} ".startswith(f"{known} ")), None)
        if scheme is None:
            continue
        named = {frame: rows.get(f"{where}, {frame}{text.removeprefix(scheme)}") for frame in FRAME}
        frames = {
            frame: found for frame, found in named.items() if found and found["gbops"] <= row["gbops"] * 1.001
        }
        if not frames:
            continue
        best = max(frames, key=lambda frame: frames[frame]["sqnr_db"])
        ahead, gain = row["sqnr_db"] - frames[best]["sqnr_db"], row["sqnr_db"] - named["w4a4"]["sqnr_db"]
        gains.append(gain)
        words = [
            f"{ahead:+6.2f} dB of {best}, {gain:+6.2f} of w4a4",
            f"{row['of_frame']}/{row['quantizers']}",
        ]
        for frame, other in frames.items():
            pairs = [
                pair for pair in zip(row["measures"], other["measures"], strict=True) if pair[0] == pair[0]
            ]
            low, high = difference(*map(list, zip(*pairs, strict=True)))[1:] if pairs else (0, 0)
            words += [f"task below {frame}: {low:+.3f} to {high:+.3f}"] if high < 0 else []
        is_missed = ahead < 0 or len(words) > 2
        missed += is_missed
        print(f"{'MISSED' if is_missed else '':7}{key:75}{'; '.join(words)}")
    if gains:
        print(f"{missed} of {len(gains)} missed; {sum(gains) / len(gains):+.2f} dB above w4a4 in the mean")


if __name__ == "__main__":
    main()
