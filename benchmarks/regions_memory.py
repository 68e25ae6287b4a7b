"""Memory of a long stream with regions, which must be flat after the first hundred frames.

    python benchmarks/regions_memory.py NETWORK --video CLIP [--frames 20000] [--scheme "w8a8 regions"]

The clip runs there and back, again and again, so that nothing is cut. Prints the memory that is resident,
what the stream says that it holds, and the share of work so far; ends with exit code 1 where memory grew by
1% or more after frame 100.
"""

import argparse
import itertools
import resource
import sys
import warnings
from pathlib import Path

import videoquant as vq
from videoquant.engine import lower


def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network")
    parser.add_argument("--video", required=True)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--scheme", default="w8a8 regions")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    network, clip = vq.load(options.network), vq.frames(options.video)
    plan = lower(vq.quantize(network, options.scheme, clip))
    pictures = [frame.pixels for frame in itertools.islice(clip, 60)]
    stream, seen, work = plan.stream(threads=1), {}, 0.0
    there_and_back = itertools.cycle([*pictures, *pictures[-2:0:-1]])
    for number, picture in enumerate(itertools.islice(there_and_back, options.frames), 1):
        stream.arrays(picture)
        work += stream.work_share
        if number in (1, 100, 1000) or number % 5000 == 0 or number == options.frames:
            seen[number] = resident_mb()
            held = stream.report.memory_bytes / 1e6
            print(
                f"frame {number:6d}: {seen[number]:7.1f} MB resident, the stream holds {held:.2f} MB, "
                f"work {work / number:.3f}",
                flush=True,
            )
    growth = max(seen.values()) - seen[100]
    print(f"after frame 100: {growth:+.2f} MB")
    sys.exit(growth >= 0.01 * seen[100])


if __name__ == "__main__":
    main()
