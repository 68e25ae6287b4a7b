"""Whether a change of the code leaves every output as it was, to the last bit.

    python benchmarks/golden.py write FOLDER [--models FOLDER] [--video CLIP]
    python benchmarks/golden.py compare FOLDER [--models FOLDER] [--video CLIP]

`write` runs eight networks under twelve schemes, in simulation and in every mode of the engine on every
instruction set of this CPU, and keeps a digest of each frame's outputs in FOLDER/golden.json; beside it the
files of two small networks as that version saves them (.vq and .plan). `compare` runs all of it again, reads
those files, says what differs, and ends with exit code 1 where something does. Run both on one machine: what
lies between layers may round otherwise on another CPU.
"""

import argparse
import hashlib
import json
import sys
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch

import videoquant as vq
from videoquant import _native
from videoquant.engine import load_plan, lower
from videoquant.errors import VideoQuantError
from videoquant.models.loading import capture_model
from videoquant.runtime.session import frame_only

SCHEMES = (
    "w8a8",
    "w4a8 asymmetric minmax",
    "w6a4 quantile=0.999 head=fp tail=fp",
    "w8a8 dynamic",
    "w4a4 dynamic aciq",
    "w8a8 qpp",
    "w8a4 ds=1%",
    "w8a8->w4a4 T=3",
    "w8a8->w4a4 T=3 recurrent",
    "w8a8->w4a8 T=3 adaptive",
    "w8a4->w4a4 T=3 qpp recurrent",
    "w8a8->w4a4 T=3 ds=2% dynamic",
)
CALIBRATION, FRAMES = 24, 7
MADE = {
    "ddrnet23_slim": (128, 256),
    "hrnet_w18_small_v1": (128, 128),
}  # networks of `models`, with random weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("write", "compare"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=Path, default=Path("../shared/data/models"))
    parser.add_argument("--only", help="compare the networks whose names hold this")
    parser.add_argument("--isas", nargs="*", default=_native.isas(), help="instruction sets; default all")
    parser.add_argument("--video", default="../shared/data/clips/one-by-one-person-detection.mp4")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    options.folder.mkdir(parents=True, exist_ok=True)
    stored = options.folder / "golden.json"
    expected: dict[str, Any] = json.loads(stored.read_text()) if options.what == "compare" else {}
    found: dict[str, Any] = {}
    wrong = 0
    for name, network in networks(options.models):
        if options.only and options.only not in name:
            expected = {key: digests for key, digests in expected.items() if not key.startswith(f"{name} | ")}
            continue
        for scheme in SCHEMES:
            for key, digests in digests_of(name, network, scheme, options):
                found[key] = digests
                if options.what == "write":
                    continue
                frames = [
                    i for i, (a, b) in enumerate(zip(digests, expected.get(key, []), strict=False)) if a != b
                ]
                if digests != expected.get(key):
                    wrong += 1
                    print(
                        f"DIFFERS {key}: {'frames ' + str(frames) if key in expected else 'was not written'}"
                    )
            print(f"{name} {scheme}: {len(found)} streams so far, {wrong} differ", flush=True)
    if options.what == "write":
        stored.write_text(json.dumps(found, indent=1))
        return
    skipped = [isa for isa in _native.isas() if isa not in options.isas]
    missing = {key for key in expected.keys() - found.keys() if not key.endswith(tuple(skipped))}
    for key in sorted(missing):
        print(f"MISSING {key}")
    sys.exit(1 if wrong or missing else 0)


def networks(folder: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(folder.glob("*.onnx")):
        yield path.stem, vq.load(path)
    for name, size in MADE.items():
        torch.manual_seed(0)
        yield name, capture_model(name, vq.models.create(name), size)


def digests_of(
    name: str, network: Any, scheme: str, options: argparse.Namespace
) -> Iterator[tuple[str, list[str]]]:
    """Every stream of a network and a scheme: its name, and the digest of each frame."""
    clip = list(islice(vq.frames(options.video), 100, 100 + CALIBRATION + FRAMES))
    try:
        quantized = vq.quantize(network, scheme, clip[:CALIBRATION])
    except VideoQuantError as error:
        yield f"{name} | {scheme} | refused", [str(error)]
        return
    frames = clip[CALIBRATION:]
    # The first frame twice: a stream that follows changes finds nothing new in the second.
    frames = [frames[0], frames[0], *frames[1:]]
    inputs = [network.prepare(frame) for frame in frames]
    yield f"{name} | {scheme} | simulation", run(quantized.stream(), inputs)
    try:
        plan = lower(quantized)
    except VideoQuantError as error:
        yield f"{name} | {scheme} | not lowered", [str(error)]
        return
    for isa in options.isas:
        if isa == "reference" and name != "selfie_segmentation_256":
            continue  # a scalar definition: minutes a frame
        for mode in ("frame", "exact"):
            if mode != "frame" and frame_only(plan.scheme):
                continue
            stream = plan.stream(mode, threads=2, isa=isa)
            if mode != "frame":
                stream.always_follow()
            yield f"{name} | {scheme} | {mode} {isa}", run(stream, inputs)
    files = options.folder / f"{name} {SCHEMES.index(scheme)}"
    vq_file, plan_file = files.with_suffix(".vq"), files.with_suffix(".plan")
    if name in ("selfie_segmentation_256", "face_landmark_192"):
        if options.what == "write":
            vq.save(quantized, vq_file)
            plan.save(plan_file)
        yield f"{name} | {scheme} | .vq", run(vq.load_quantized(vq_file).stream(), inputs)
        yield f"{name} | {scheme} | .plan", run(load_plan(plan_file).stream(), inputs)


def run(stream: Any, inputs: list[torch.Tensor]) -> list[str]:
    digests = []
    for x in inputs:
        hashed = hashlib.sha256()
        for output, y in sorted(stream.run(x).items()):
            hashed.update(f"{output} {tuple(y.shape)}".encode())
            hashed.update(y.detach().contiguous().numpy().tobytes())
        digests.append(hashed.hexdigest()[:16])
    return digests


if __name__ == "__main__":
    main()
