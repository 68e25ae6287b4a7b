"""A short form of `benchmarks/damaged_files.py`: files of every kind, whole ones and a few damaged ones.

In a process of its own, since its kinds make networks smaller than they are elsewhere.
"""

import os
import subprocess
import sys
from pathlib import Path


def test_damaged_files_are_read_or_refused_in_one_line() -> None:
    command = [sys.executable, "-m", "benchmarks.damaged_files", "--count", "25", "--seed", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "plan: 25 files" in done.stdout
