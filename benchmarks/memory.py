"""Peak memory of calibration, and of a long stream, which must be flat after the tenth frame.

    python benchmarks/memory.py NETWORK --video CLIP [--frames 300] [--schemes "w8a8; w8a8->w4a4 T=3"]

Prints the peak after each scheme's calibration, then runs the whole of `compare` — reading, floating point,
every scheme, all measures — and prints the resident memory along the way and its peak after the tenth frame.
"""

import argparse
import itertools
import resource
from pathlib import Path

import videoquant as vq


def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def calibrated(network, text, clip):
    quantized = vq.quantize(network, text, clip)
    print(
        f"{text}: peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB so far", flush=True
    )
    return quantized


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network")
    parser.add_argument("--video", required=True)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--schemes", default="w8a8; w8a8->w4a4 T=3; w8a8->w8a8 T=3 adaptive")
    options = parser.parse_args()
    network = vq.load(options.network)
    clip = vq.frames(options.video)
    quantized = [calibrated(network, text.strip(), clip) for text in options.schemes.split(";")]
    seen = []
    vq.compare(
        network,
        quantized,
        itertools.islice(clip, options.frames),
        progress=lambda: seen.append(resident_mb()),
    )
    for number in sorted({1, 10, *range(50, len(seen) + 1, 50), len(seen)}):
        print(f"after frame {number:4d}: {seen[number - 1]:8.1f} MB resident")
    late = seen[10:]
    growth = max(late) - seen[9]
    print(f"from frame 11 on: at most {growth:+.1f} MB against the tenth ({growth / seen[9]:+.1%})")


if __name__ == "__main__":
    main()
