"""Whether a change of the code costs speed: two installed versions run the same networks, by turns.

    python benchmarks/two_versions.py BEFORE AFTER [--models FOLDER] [--video CLIP] [--rounds N]

BEFORE, AFTER: the Python of an environment each, with a version installed. The networks are PoseNet and
pose_landmark of FOLDER, DDRNet-23-slim and ResNet-18 with random weights, all at w8a8; each is calibrated
once, by BEFORE, and both versions run its file, with two threads. Each version is a process of its own, and
they take turns frame by frame: what else the machine does falls on both alike. Printed is the median of the
frames' ratios AFTER / BEFORE, its 95% interval (bootstrap over frames), and the ratio of the fastest frames:
below 1 the change made it faster. In every round both processes begin anew.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

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
import sys, time, warnings
from itertools import islice
import videoquant as vq
from videoquant.engine import lower
warnings.simplefilter("ignore")
file, video, mode, count = sys.argv[1:]
quantized = vq.load_quantized(file)
inputs = [quantized.network.prepare(frame) for frame in islice(vq.frames(video), 60, 60 + int(count))]
stream = lower(quantized).stream(mode, threads=2)
for x in inputs:
    sys.stdin.readline()
    start = time.perf_counter()
    stream.run(x)
    print(time.perf_counter() - start, flush=True)
"""

# Network → frames of a stream, and its modes.
NETWORKS = {
    "posenet": (40, ("frame", "exact")),
    "pose_landmark": (60, ("frame", "exact")),
    "ddrnet23_slim": (30, ("frame",)),
    "resnet18": (20, ("frame",)),
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
                file = f"{folder}/{name}.vq"
                pairs = np.concatenate(
                    [
                        by_turns([options.before, options.after], file, video, mode, str(frames))
                        for _ in range(options.rounds)
                    ]
                )
                print(f"{name} {mode}: {summary(pairs)}", flush=True)


def by_turns(pythons: list[Path], *arguments: str) -> np.ndarray:
    """The seconds of each frame but the first three: frames × versions."""
    command = ["-c", RUN, *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": "/"}
    running = [subprocess.Popen([str(python.absolute()), *command], **pipes) for python in pythons]
    pairs = []
    for frame in range(int(arguments[-1])):
        order = (0, 1) if frame % 2 else (1, 0)
        times = [0.0, 0.0]
        for which in order:
            running[which].stdin.write("\n")
            running[which].stdin.flush()
            line = running[which].stdout.readline()
            if not line:
                sys.exit(f"{pythons[which]} stopped")
            times[which] = float(line)
        pairs.append(times)
    for process in running:
        process.wait()
    return np.array(pairs[3:])


def summary(pairs: np.ndarray) -> str:
    ratios = pairs[:, 1] / pairs[:, 0]
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    before, after = 1000 * pairs.min(axis=0)
    return (
        f"ratio {np.median(ratios):.3f} ({low:.3f} to {high:.3f}, {len(ratios)} frames); fastest "
        f"{before:.2f} ms before, {after:.2f} ms after, ratio {after / before:.3f}"
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
