"""Measured times for a fit, from the files of `videoquant bench`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from videoquant.axes import FLOAT
from videoquant.costs.chip import Chip
from videoquant.costs.fit import Measurement
from videoquant.costs.workload import workload
from videoquant.errors import ChipError
from videoquant.files import check_file, reason
from videoquant.network.graph import Network
from videoquant.schemes import Scheme

PARAMETERS = ("peak", "gain", "bandwidth", "buffer", "overhead")
FORMAT = 1  # of bench.json
LANES = {"avx512_vnni": 16, "avx2": 8}  # sums of 32 bits in a register
UNDISTURBED = 0.1
INPUTS = 4  # that an int8 dot product adds to each sum at once


def read_bench(path: Path) -> dict[str, Any]:
    """The JSON of `videoquant bench`. Raises `ChipError` where it is something else."""
    check_file(path, ChipError)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ChipError(f"{path}: cannot be read: {reason(error)}") from None
    keys = {"network", "scheme", "threads", "macs", "machine", "rows"}
    if not isinstance(data, dict) or data.get("format") != FORMAT or not keys <= data.keys():
        raise ChipError(f"{path}: not a bench.json of `videoquant bench`")
    return data


def measurements(data: dict[str, Any], network: Network) -> list[Measurement]:
    """Of every clip the time of videoquant's engine on full frames, and the fastest one in fp32.

    A time is the `UNDISTURBED` quantile over frames: the model knows no interruptions.
    Raises `ChipError` where the file is not of this network at this size.
    """
    macs = sum(network.macs.values())
    if macs != data["macs"]:
        raise ChipError(
            f"{network.name}: has {macs / 1e9:.4g} G multiply–accumulates, what was timed "
            f"({data['network']}) {data['macs'] / 1e9:.4g} G; give the networks in the order of the files"
        )
    work, own, floating = workload(network), Scheme.parse(data["scheme"]), Scheme.parse("fp32")
    rows = [row for row in data["rows"] if row["mode"] == "frame"]
    result = []
    for clip in dict.fromkeys(row["clip"] for row in rows):
        here = [(row, float(np.quantile(row["ms"], UNDISTURBED))) for row in rows if row["clip"] == clip]
        ours = [ms for row, ms in here if row["engine"] == "videoquant"]
        fp32 = [ms for row, ms in here if row["precision"] == "fp32"]
        result += [Measurement(network.name, work, own, ms) for ms in ours]
        result += [Measurement(network.name, work, floating, min(fp32))] if fp32 else []
    return result


def timed_chip(benches: Sequence[dict[str, Any]]) -> Chip:
    """The machine of these files before the fit: what its instructions take in, and parameters to replace.

    Raises `ChipError` where the files are of several machines or numbers of threads.
    """
    machines = {(data["machine"]["cpu"], data["threads"]) for data in benches}
    if len(machines) != 1:
        words = "; ".join(f"{cpu}, {threads} threads" for cpu, threads in sorted(machines))
        raise ChipError(f"the times are of different machines: {words}")
    ((cpu, threads),) = machines
    lanes = next((LANES[flag] for flag in LANES if flag in benches[0]["machine"]["flags"]), 4)
    networks = ", ".join(dict.fromkeys(data["network"] for data in benches))
    return Chip(
        f"{cpu}, {threads} threads",
        f"fitted to `videoquant bench` on {networks}",
        {(FLOAT, FLOAT): 1e9, (8, 8): 1e9},
        (INPUTS, lanes),
        buffer=1e6,
        bandwidth=1e9,
    )
