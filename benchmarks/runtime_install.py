"""What the install without PyTorch takes: size on disk, time to import, and memory of a stream.

    python benchmarks/runtime_install.py ENVIRONMENT NET.plan CLIP [--mode exact] [--frames 60]

ENVIRONMENT: one with `pip install videoquant` in it, such as the .venv-runtime of `make test`. Every figure
is of processes of their own: times are the best of ten, memory is the peak that the system saw.
"""

import argparse
import subprocess
from pathlib import Path

TIMED = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
IMPORT = TIMED.format("import videoquant")
PLAN = TIMED.format("import videoquant; videoquant.load_plan")
STREAM = """
import itertools, sys
import videoquant as vq
plan, clip, mode, frames = sys.argv[1:]
stream = vq.open_stream(vq.load_plan(plan), mode)
for frame in itertools.islice(vq.frames(clip), int(frames)):
    stream.run(frame)
"""
PEAK = """
import resource
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
TIMES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environment", type=Path)
    parser.add_argument("plan")
    parser.add_argument("clip")
    parser.add_argument("--mode", default="exact")
    parser.add_argument("--frames", default="60")
    options = parser.parse_args()
    python = options.environment / "bin" / "python"

    def run(program: str, *arguments: str) -> float:
        words = [python, "-c", program, *arguments]
        return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)

    (packages,) = options.environment.glob("lib/python*/site-packages")
    sizes = {part.name: size_of(part) for part in packages.iterdir()}
    pip = sum(size for name, size in sizes.items() if name.partition("-")[0] in ("pip", "setuptools"))
    print(f"on disk: {sum(sizes.values()) - pip:.0f} MB without pip, of which")
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:6]:
        print(f"    {name}: {size:.1f} MB")
    print(f"import videoquant: {min(run(IMPORT) for _ in range(TIMES)):.3f} s")
    print(f"and load_plan, with NumPy and PyAV: {min(run(PLAN) for _ in range(TIMES)):.3f} s")
    arguments = (options.plan, options.clip, options.mode, options.frames)
    print(f"peak memory of Python alone: {run(PEAK):.0f} MiB")
    peak = run(STREAM + PEAK, *arguments)
    print(f"peak memory of {options.mode} over {options.frames} frames: {peak:.0f} MiB")


def size_of(path: Path) -> float:
    """The size of a file or of all files of a folder, in MB, without compiled Python."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc") / 1e6


if __name__ == "__main__":
    main()
