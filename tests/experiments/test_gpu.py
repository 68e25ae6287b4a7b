"""`experiments/gpu.sh` with a stand-in for Python: what it runs, in which order, and where it goes on."""

import os
import subprocess
from pathlib import Path

import evidence

SCRIPT = Path(evidence.__file__).with_name("gpu.sh")
# Writes down what it is called with; a training leaves its state, and is stopped where STOPPED is set.
STAND_IN = """#!/usr/bin/env bash
echo "$@" >> "$CALLS"
if [ "$2" = videoquant ]; then
    while [ "$1" != -o ]; do shift; done
    mkdir -p "$2"; touch "$2/training.safetensors"
    [ -z "$STOPPED" ] || exit 130
fi
"""


def run(folder, minutes="10", stopped="", networks=()):
    python = folder / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)
    calls = folder / "calls"
    calls.write_text("")
    variables = {"PYTHON": str(python), "CALLS": str(calls), "STOPPED": stopped, "MINUTES": minutes}
    words = ["bash", str(SCRIPT), "data", str(folder / "out"), *networks]
    result = subprocess.run(words, env=os.environ | variables, capture_output=True, text=True)
    return result, calls.read_text().splitlines()


def test_each_network_is_trained_then_scored_and_not_trained_again(tmp_path):
    result, calls = run(tmp_path)
    assert result.returncode == 0, result.stderr
    assert [call.split()[2 if "train" in call.split() else 0].split("/")[-1] for call in calls] == [
        "train",
        "resq_table1.py",
    ] * 2
    assert "ddrnet23 " in calls[1] and "ddrnet39 " in calls[3]
    assert calls[1].endswith("--schemes w8a8 w4a4 w8a8->w4a4 T=3")
    assert f"--checkpoint {tmp_path}/out/ddrnet23/weights.safetensors" in calls[1]
    assert len(run(tmp_path)[1]) == 2  # only scored


def test_what_was_stopped_is_resumed(tmp_path):
    result, calls = run(tmp_path, stopped="yes", networks=["ddrnet23"])
    assert result.returncode == 130 and len(calls) == 1 and "--resume" not in calls[0]
    result, calls = run(tmp_path, networks=["ddrnet23"])
    assert result.returncode == 0 and "--resume" in calls[0] and len(calls) == 2


def test_out_of_time_says_what_to_do(tmp_path):
    result, calls = run(tmp_path, minutes="0")
    assert (result.returncode, calls) == (124, [])
    assert result.stderr == "out of time; the same command goes on\n"


def test_without_folders_it_says_its_usage():
    result = subprocess.run(["bash", str(SCRIPT)], capture_output=True, text=True)
    assert result.returncode == 1 and "usage: bash experiments/gpu.sh DATA OUTPUT" in result.stderr
