"""`videoquant bench gating`: gates in front of the network, as they are deployed, beside regions."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from videoquant.bench.gates import ways_of
from videoquant.bench.gating import GatingRow, gate_clip
from videoquant.bench.machine import this_machine
from videoquant.cli.console import console, note, progress_bar, say
from videoquant.cli.networks import CheckpointOption, NetworkArgument, SizeOption, open_network, refuse_states
from videoquant.cli.options import Texts, channels_match, open_clips, preprocessing_options
from videoquant.cli.targets import Folder, check_targets, common_reads
from videoquant.errors import DataError, SchemeError
from videoquant.files import output_folder
from videoquant.json_file import write_json
from videoquant.made import made_by
from videoquant.ranges.sources import Static
from videoquant.report.gating_plot import gating_plot
from videoquant.report.gating_table import gating_table
from videoquant.report.plot_file import numbers_file, write_plot
from videoquant.runtime.session import modes_of
from videoquant.schemes import Scheme
from videoquant.stopwatch import WARM_UP
from videoquant.tasks import task_for
from videoquant.torch_settings import threads_of_pytorch

RESULTS_FILE, PLOT_FILE = "gating.json", "gating.png"
FRAMES = 120


@preprocessing_options
def command(
    network: NetworkArgument,
    video: Annotated[
        list[str], typer.Option("--video", metavar="CLIP", help="A video file or folder; may be repeated.")
    ],
    checkpoint: CheckpointOption = None,
    size: SizeOption = None,
    scheme: Annotated[str, typer.Option(help="How the network is quantized.")] = "w8a8",
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="Threads of the engine.")] = 2,
    count: Annotated[
        int,
        typer.Option(
            "--frames", metavar="N", min=WARM_UP + 1, help="Frames of each clip, from its beginning."
        ),
    ] = FRAMES,
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for gating.json and gating.png.")
    ] = Path("videoquant-bench"),
    *,
    preprocessing: Texts,
) -> None:
    """Compare regions with gates by motion detection: agreement against CPU time, on the same frames.

    A gate skips frames in which nothing moves (as DL Streamer's gvamotiondetect does), or runs the network on
    crops around what moves (as Frigate does); all on one int8 network, each at several settings.
    """
    parsed = Scheme.parse(scheme)
    if "frame" not in modes_of(parsed) or not isinstance(parsed.ranges, Static) or parsed.period > 1:
        raise SchemeError(f"scheme {parsed}: gating is measured on frame schemes of static ranges")
    clips = open_clips(video)
    reads = common_reads(network, video, None, None, checkpoint, preprocessing)
    check_targets(
        reads, {"--output": Folder(output, (RESULTS_FILE, PLOT_FILE, str(numbers_file(PLOT_FILE))))}
    )
    captured = open_network(network, checkpoint, size, clips[0], preprocessing)
    refuse_states(captured, "bench gating")
    channels_match(captured)
    if captured.preprocessing.color == "Y":
        raise DataError(f"{captured.name}: motion is looked for in color pictures; this network takes luma")
    known = task_for(captured)
    measure = known.measures[0] if known else None
    rows: list[GatingRow] = []
    folder = output_folder(output)
    for clip in clips:
        note(f"{clip.name}: quantizing")
        with threads_of_pytorch(threads):
            ways = ways_of(captured, parsed, clip, threads, note)
        with progress_bar(clip.name, min(count, len(clip))) as advance:
            found = gate_clip(captured, ways, clip.name, islice(clip, count), threads, advance)
        rows += found
        title = f"{captured.name}, {clip.name}, {threads} threads"
        console.print(gating_table(title, found, measure))
    data = {
        "format": 1,
        "made": made_by(),
        "network": captured.name,
        "scheme": str(parsed),
        "threads": threads,
        "frames": count,
        "machine": asdict(this_machine(["torch", "numpy"])),
        "rows": [asdict(row) for row in rows],
    }
    write_json(data, folder / RESULTS_FILE)
    if measure and any(measure.name in row.agreement for row in rows):
        numbers = [
            {name: value for name, value in asdict(row).items() if not isinstance(value, dict)}
            | row.agreement
            for row in rows
        ]
        write_plot(lambda: gating_plot(rows, measure), numbers, folder / PLOT_FILE)
    say(f"results: {folder / RESULTS_FILE}")
