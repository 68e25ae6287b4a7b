"""`videoquant bench`: how fast engines run a network on clips, side by side.

`bench ranges` and `bench gating` stand apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from videoquant.bench.engines import PACKAGES, choose
from videoquant.bench.limits import measure_limits
from videoquant.bench.machine import this_machine
from videoquant.bench.own_engine import choose_modes, modes_at
from videoquant.bench.result import Benchmark
from videoquant.bench.run import bench_clip
from videoquant.bench.spans import TIMED_FRAMES, plan_spans
from videoquant.calibration.sampling import calibration_runs, run_length
from videoquant.cli import bench_gating, bench_ranges
from videoquant.cli.console import console, note, progress_bar, say
from videoquant.cli.networks import CheckpointOption, NetworkArgument, SizeOption, open_network
from videoquant.cli.options import (
    ColumnsOption,
    DatasetOption,
    Texts,
    channels_match,
    open_clips,
    preprocessing_options,
)
from videoquant.cli.targets import Folder, check_targets, common_reads
from videoquant.data.video import Clip
from videoquant.engine import vnni_ceiling
from videoquant.errors import SchemeError
from videoquant.files import output_folder
from videoquant.json_file import write_json
from videoquant.made import made_by
from videoquant.report.bench_plot import write_bench_plot
from videoquant.report.bench_profile import profile_table, scaling_table
from videoquant.report.bench_table import SPARE, bench_headings, bench_table
from videoquant.report.plot_file import numbers_file
from videoquant.report.profile_plot import write_profile_plot
from videoquant.report.shown_columns import chosen_columns, narrowed
from videoquant.runtime.session import MODES
from videoquant.schemes import Scheme
from videoquant.tasks import task_for

RESULTS_FILE = "bench.json"

ThreadsOption = Annotated[int, typer.Option(metavar="N", min=1, help="Threads of every engine.")]
OutputOption = Annotated[Path, typer.Option(metavar="DIR", help="Folder for the JSON file and the plots.")]


class _NetworkByDefault(TyperGroup):
    """`bench NETWORK` is `bench network NETWORK`: what names no command is a network."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = ["network", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_NetworkByDefault,
    help="Time engines (bench NETWORK), ranges (bench ranges), or regions and gates (bench gating).",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.command("ranges")(bench_ranges.command)
app.command("gating")(bench_gating.command)


@app.command("network")
@preprocessing_options
def command(
    network: NetworkArgument,
    video: Annotated[
        list[str] | None,
        typer.Option("--video", metavar="CLIP", help="A video file or a folder of frames; may be repeated."),
    ] = None,
    dataset: DatasetOption = None,
    checkpoint: CheckpointOption = None,
    size: SizeOption = None,
    scheme: Annotated[str, typer.Option(help="How videoquant's own engine quantizes.")] = "w8a8",
    engines: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help=f"Engines, separated by commas: {', '.join(PACKAGES)}. Default: those that are installed.",
        ),
    ] = None,
    modes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help=f"Modes of videoquant's own engine, separated by commas: {', '.join(MODES)}. Default: "
            "those that the scheme runs in.",
        ),
    ] = None,
    threads: ThreadsOption = 2,
    count: Annotated[
        int | None,
        typer.Option(
            "--frames", metavar="N", min=1, help=f"Frames to time, spread over the clip [{TIMED_FRAMES}]."
        ),
    ] = None,
    profile: Annotated[
        bool,
        typer.Option("--profile", help="Also time the operators of videoquant's own engine, one by one."),
    ] = False,
    scaling: Annotated[
        bool,
        typer.Option("--scaling", help="Also time its own engine on 1 to all cores, and 1 to 8 streams."),
    ] = False,
    random_weights: Annotated[
        bool,
        typer.Option("--random-weights", help="Of a network by name: random weights, which take as long."),
    ] = False,
    output: OutputOption = Path("videoquant-bench"),
    columns: ColumnsOption = None,
    *,
    preprocessing: Texts,
) -> None:
    """Time engines on a network and clips: ms per frame, ratios, work, agreement, memory.

    Every engine runs a frame before any runs the next one, so that all meet the same machine.
    """
    parsed = Scheme.parse(scheme)
    own_modes = choose_modes(parsed, _names(modes))
    chosen, notes = choose(_names(engines))
    if (profile or scaling) and "videoquant" not in chosen:
        raise SchemeError("--profile and --scaling time videoquant's own engine, which --engines leaves out")
    clips = open_clips(video, [dataset] if dataset else None)
    plots = [plot_file(clip, kind) for clip in clips for kind in ("", *(["profile-"] if profile else []))]
    check_targets(
        common_reads(network, video, None, dataset, checkpoint, preprocessing),
        {"--output": Folder(output, (RESULTS_FILE, *plots, *(str(numbers_file(plot)) for plot in plots)))},
    )
    if (output / RESULTS_FILE).exists():
        note(f"{output}: holds the results of an earlier benchmark, which are replaced")
    captured = open_network(network, checkpoint, size, clips[0], preprocessing, random_weights)
    channels_match(captured)
    known = task_for(captured)
    measures = known.measures if known else ()
    only = chosen_columns(columns, bench_headings(measures))
    own_modes = modes_at(own_modes, parsed, captured, modes is not None)
    calibrating = run_length(captured, parsed), calibration_runs(parsed)
    spans = [plan_spans(len(clip), count, *calibrating) for clip in clips]

    packages = ["torch", *dict.fromkeys(package for name in chosen for package in PACKAGES[name])]
    benchmark = Benchmark(
        captured.name,
        str(parsed),
        threads,
        sum(captured.macs.values()),
        vnni_ceiling(threads),
        this_machine(packages),
        measures,
        notes=notes,
    )
    for line in notes:
        note(line)
    folder = output_folder(output)
    limits = measure_limits(threads, benchmark.vnni_ceiling) if profile else None
    for clip, plan in zip(clips, spans, strict=True):
        bench_clip(
            benchmark,
            captured,
            chosen,
            parsed,
            own_modes,
            clip,
            plan,
            note,
            progress_bar,
            limits,
            scaling,
        )
    for clip in clips:
        write_bench_plot(benchmark, clip.name, folder / plot_file(clip))
        if profile:
            write_profile_plot(benchmark, clip.name, folder / plot_file(clip, "profile-"))
    write_json({"made": made_by(), **benchmark.to_dict()}, folder / RESULTS_FILE)
    for clip in clips:
        console.print(narrowed(bench_table(benchmark, clip.name), console, SPARE, only))
        if clip.name in benchmark.profiles:
            console.print(profile_table(benchmark, clip.name))
        if clip.name in benchmark.scaling:
            console.print(scaling_table(benchmark, clip.name))
    say(f"results: {folder / RESULTS_FILE}")


def plot_file(clip: Clip, kind: str = "") -> str:
    """The name of a clip's plot; kind: "profile-" for that of operators."""
    return f"bench-{kind}{Path(clip.name).stem}.png"


def _names(option: str | None) -> list[str] | None:
    return None if option is None else [name.strip() for name in option.split(",")]
