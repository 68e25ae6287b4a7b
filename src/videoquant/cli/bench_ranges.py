"""`videoquant bench ranges`: what it costs to know an activation's range, beside the layer that reads it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from videoquant.bench.layer import layer_jobs
from videoquant.bench.machine import this_machine
from videoquant.bench.ranges import SIZES, RangeRow, activation, range_jobs, time_ranges
from videoquant.cli.console import console, progress_bar, say
from videoquant.cli.targets import Folder, check_targets
from videoquant.files import output_folder
from videoquant.json_file import write_json
from videoquant.made import made_by
from videoquant.report.ranges_table import ranges_table
from videoquant.torch_settings import threads_of_pytorch

RESULTS_FILE = "ranges.json"


def command(
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="Threads; the paper's tables have 1.")] = 1,
    repeats: Annotated[int, typer.Option(metavar="N", min=1, help="Times each is timed.")] = 50,
    output: Annotated[Path, typer.Option(metavar="DIR", help="Folder for ranges.json.")] = Path(
        "videoquant-bench"
    ),
) -> None:
    """Time ranges (min/max, quantile, predicted), quantization and the convolution that needs them.

    Tables A.1 and B.5 of the QPP paper's supplement, with the paper's percentages beside.
    """
    check_targets({}, {"--output": Folder(output, (RESULTS_FILE,))})
    rows: list[RangeRow] = []
    with threads_of_pytorch(threads), progress_bar("timing", len(SIZES)) as advance:
        for size in SIZES:
            x = activation(size)
            rows += time_ranges(size, range_jobs(x) | layer_jobs(x, threads), repeats)
            advance()
    path = output_folder(output) / RESULTS_FILE
    data = {
        "format": 1,
        "made": made_by(),
        "threads": threads,
        "repeats": repeats,
        "machine": asdict(this_machine(["torch", "numpy"])),
        "rows": [asdict(row) for row in rows],
    }
    write_json(data, path)
    console.print(ranges_table(rows))
    say(f"results: {path}")
