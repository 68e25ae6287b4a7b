"""Box F1 of schemes against floating point, on frames that have something to find.

    python -m benchmarks.box_f1 NETWORK CLIP [--boxes FAMILY] [--size HxW] [--frames N] [SCHEME …]

2·N frames spread over the clip: every second one is scored, up to 16 of the others calibrate. Unlike
`compare` it takes no runs of frames, so that few frames show many things.
"""

import argparse

import numpy as np
import torch

import videoquant as vq
from videoquant.cli.sizes import parse_size
from videoquant.tasks import task_for
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.detection import Detection

SCHEMES = ("w8a8", "w8a8 by-width")
MOST_CALIBRATING = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network")
    parser.add_argument("clip")
    parser.add_argument("schemes", nargs="*", default=SCHEMES)
    parser.add_argument("--boxes")
    parser.add_argument("--size")
    parser.add_argument("--frames", type=int, default=24)
    options = parser.parse_args()
    size = parse_size(options.size, "--size") if options.size else None
    said = {"boxes": options.boxes} if options.boxes else {}
    network = vq.load(options.network, size=size, preprocessing=said)
    task = task_for(network)
    assert isinstance(task, Detection), "its outputs are no boxes; name the family with --boxes"
    frames = list(vq.frames(options.clip))
    chosen = [frames[k] for k in np.linspace(0, len(frames) - 1, 2 * options.frames).astype(int)]
    scored = chosen[1::2]
    with torch.no_grad():
        references = [network.run(network.prepare(frame)) for frame in scored]
    print(f"fp32: {sum(len(task.found(outputs)) for outputs in references)} boxes on {len(scored)} frames")
    for scheme in options.schemes:
        quantized = vq.quantize(network, scheme, calibration=chosen[::2][:MOST_CALIBRATING])
        stream, agreement, count = quantized.stream(), agreement_for(task), 0
        for frame, reference in zip(scored, references, strict=True):
            outputs = stream.run(frame)
            agreement.update(reference, outputs)
            count += len(task.found(outputs))
        print(f"{scheme}: {count} boxes, F1 {agreement.result().get('box_f1', float('nan')):.3f}", flush=True)


if __name__ == "__main__":
    main()
