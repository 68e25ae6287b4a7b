"""Damaged files: each is read, or refused in one line; never another exception, a crash, or a hang.

    python -m benchmarks.damaged_files [--kinds plan] [--count 5000] [--seed 0] [--keep FOLDER]

File number i of a kind is a function of the seed and i. A child process reads one after the other, within
limits of address space, of what a file may ask for, and of seconds; where it dies, another goes on. What is
wrong is printed with what was done to the file, `--keep` writes such files to a folder, and the exit status
is 1.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import torch

import videoquant as vq
from benchmarks.damaged_kinds import KINDS, Kind

ADDRESS_SPACE = 8 << 30
SIZE_LIMIT_GIB = 0.25  # what a file may ask for: large ones would only take time
SECONDS = 20
RIGHT = ("read", "refused")


def damaged(kind: Kind, whole: Sequence[bytes], seed: int, number: int) -> tuple[bytes, str]:
    """File `number`, and what was done to it."""
    chosen = random.Random(f"{kind.suffix} {seed} {number}")
    return kind.damage(chosen.choice(whole), chosen)


def outcome(kind: Kind, path: Path) -> str:
    """What comes of reading one file: one of `RIGHT`, or what was raised."""
    try:
        with warnings.catch_warnings(action="ignore"), vq.size_limit(SIZE_LIMIT_GIB):
            kind.use(path)
    except vq.VideoQuantError as error:
        lines = str(error).strip().splitlines()
        return "refused" if len(lines) == 1 else f"refused in {len(lines)} lines"
    except BaseException as error:
        at = error.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        where = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at else "?"
        return f"{type(error).__name__} at {where}: {' '.join(str(error).split())[:80]}"
    return "read"


def _child(
    kind: Kind, whole: Sequence[bytes], seed: int, numbers: Sequence[int], folder: Path, pipe: Connection
) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    path = folder / f"damaged.{kind.suffix}"
    for number in numbers:
        path.write_bytes(damaged(kind, whole, seed, number)[0])
        pipe.send(outcome(kind, path))


def read_all(
    kind: Kind, whole: Sequence[bytes], seed: int, count: int, folder: Path
) -> Iterator[tuple[int, str]]:
    """(number, outcome) of each damaged file, read in child processes."""
    context = multiprocessing.get_context("fork")
    numbers = list(range(count))
    while numbers:
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(kind, whole, seed, numbers, folder, theirs))
        child.start()
        theirs.close()
        with contextlib.suppress(EOFError):
            while numbers and ours.poll(SECONDS):
                said = ours.recv()
                yield numbers.pop(0), said
        if numbers and child.is_alive():
            child.join(1)  # a pipe that has ended is a process that is about to
        if numbers:
            hung = child.exitcode is None
            child.kill()
            child.join()
            yield numbers.pop(0), f"more than {SECONDS} s" if hung else f"died: exit code {child.exitcode}"
        child.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--count", type=int, default=5000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for those that went wrong")
    options = parser.parse_args()
    torch.set_num_threads(1)
    wrong = False
    for name in options.kinds.split(","):
        kind = KINDS[name]
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            whole = kind.make(Path(one))
            for data in whole:  # else what is refused below would not be refused for its damage
                path = Path(other) / f"whole.{kind.suffix}"
                path.write_bytes(data)
                if (said := outcome(kind, path)) != "read":
                    print(f"{name}: a whole file: {said}")
                    wrong = True
            outcomes = dict(read_all(kind, whole, options.seed, options.count, Path(other)))
        counts = Counter(outcomes.values())
        bad = {said: n for said, n in counts.most_common() if said not in RIGHT}
        print(f"{name}: {options.count} files; read {counts['read']}, refused {counts['refused']}; "
              f"wrong {sum(bad.values())}")  # fmt: skip
        for said, n in bad.items():
            first = next(i for i, o in outcomes.items() if o == said)
            print(
                f"  {n} × {said}\n      number {first}: {damaged(kind, whole, options.seed, first)[1][:160]}"
            )
        for number, said in outcomes.items():
            if options.keep and said not in RIGHT:
                options.keep.mkdir(parents=True, exist_ok=True)
                file = options.keep / f"{options.seed}-{number}.{kind.suffix}"
                file.write_bytes(damaged(kind, whole, options.seed, number)[0])
        wrong |= bool(bad)
    sys.exit(wrong)


if __name__ == "__main__":
    main()
