"""Whether a change of the code costs speed: two installed versions run the same networks, turn by turn.

    python benchmarks/two_versions.py BEFORE AFTER [--models FOLDER] [--video CLIP] [--rounds N]

BEFORE, AFTER: the Python of an environment each, with a version installed. The networks are PoseNet and
pose_landmark of FOLDER, DDRNet-23-slim and ResNet-18 with random weights, all at w8a8; each is calibrated
once, by BEFORE, and both versions run its file. In every round each version runs `frame`, and the first two
networks `exact` too, one after the other, with two threads; the median of a stream's frames counts. Printed
is the ratio AFTER / BEFORE of the rounds' medians, and their range: below 1 the change made it faster.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PREPARE = """
import sys, warnings
from itertools import islice
import torch
import videoquant as vq
warnings.simplefilter("ignore")
folder, models, video = sys.argv[1:]
frames = list(islice(vq.frames(video), 40))
torch.manual_seed(0)
def made(name, size):
    try:
        from videoquant.models.loading import capture_model
    except ImportError:
        from videoquant.api import capture_model
    return capture_model(name, vq.models.create(name), size)
networks = {
    "posenet": vq.load(f"{models}/posenet_432x768.onnx"),
    "pose_landmark": vq.load(f"{models}/pose_landmark_full_256.onnx"),
    "ddrnet23_slim": made("ddrnet23_slim", (512, 1024)),
    "resnet18": made("resnet18", (512, 1024)),
}
for name, network in networks.items():
    vq.save(vq.quantize(network, "w8a8", frames[:8]), f"{folder}/{name}.vq")
"""

RUN = """
import json, sys, time, warnings
from itertools import islice
import videoquant as vq
from videoquant.engine import lower
warnings.simplefilter("ignore")
file, video, mode, count = sys.argv[1:]
quantized = vq.load_quantized(file)
inputs = [quantized.network.prepare(frame) for frame in islice(vq.frames(video), 60, 60 + int(count))]
stream = lower(quantized).stream(mode, threads=2)
times = []
for x in inputs:
    start = time.perf_counter()
    stream.run(x)
    times.append(time.perf_counter() - start)
print(json.dumps(sorted(times[3:])))
"""

# Network → frames of a stream, and its modes.
NETWORKS = {
    "posenet": (40, ("frame", "exact")),
    "pose_landmark": (60, ("frame", "exact")),
    "ddrnet23_slim": (14, ("frame",)),
    "resnet18": (10, ("frame",)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--models", default="../shared/data/models")
    parser.add_argument("--video", default="../shared/data/clips/one-by-one-person-detection.mp4")
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    models, video = Path(options.models).resolve(), str(Path(options.video).resolve())
    with tempfile.TemporaryDirectory() as folder:
        call(options.before, PREPARE, folder, str(models), video)
        for name, (frames, modes) in NETWORKS.items():
            for mode in modes:
                pairs = []
                for _ in range(options.rounds):
                    file = f"{folder}/{name}.vq"
                    pairs.append(
                        [
                            statistics.median(json.loads(call(python, RUN, file, video, mode, str(frames))))
                            for python in (options.before, options.after)
                        ]
                    )
                ratios = sorted(after / before for before, after in pairs)
                before, after = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
                print(
                    f"{name} {mode}: {before:.2f} ms before, {after:.2f} ms after, ratio "
                    f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})",
                    flush=True,
                )


def call(python: Path, program: str, *arguments: str) -> str:
    # Absolute but not resolved: a virtual environment's Python is a link.
    result = subprocess.run(
        [str(python.absolute()), "-c", program, *arguments], capture_output=True, text=True, cwd="/"
    )
    if result.returncode:
        sys.exit(result.stderr)
    return result.stdout


if __name__ == "__main__":
    main()
