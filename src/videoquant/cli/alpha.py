"""`videoquant alpha`: how much of the activations' tails is best clipped, for a network, scheme and clip."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from videoquant.axes import Frame
from videoquant.calibration.alpha import AlphaCurve, check_has_alpha, search_alpha
from videoquant.calibration.sampling import calibration_clips
from videoquant.cli.console import console, note, progress_bar, say
from videoquant.cli.networks import CheckpointOption, NetworkArgument, SizeOption, open_network
from videoquant.cli.options import (
    ColorOption,
    DatasetOption,
    FitOption,
    ImagesOption,
    MeanOption,
    ScaleOption,
    StdOption,
    TaskOption,
    VideoOption,
    are_stills,
    channels_match,
    open_source,
)
from videoquant.cli.targets import check_targets
from videoquant.errors import SchemeError
from videoquant.files import atomic_write
from videoquant.made import made_by
from videoquant.network.graph import Network
from videoquant.report.alpha_plot import write_alpha_plot
from videoquant.report.plot_file import check_plot
from videoquant.report.table import ABSENT, heading
from videoquant.schemes import Scheme
from videoquant.tasks import task_for
from videoquant.tasks.sqnr import EXACT_DB

BEST_MARK = "*"


def command(
    network: NetworkArgument,
    scheme: Annotated[str, typer.Option(help='How to quantize, e.g. "w8a4"; its estimator is replaced.')],
    video: VideoOption = None,
    images: ImagesOption = None,
    dataset: DatasetOption = None,
    checkpoint: CheckpointOption = None,
    size: SizeOption = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="F", help="Write the curve as JSON here.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="F", help="Draw the curve here: an .svg or a .png file.")
    ] = None,
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="Measure every α from 0.9 to 1, for the whole curve.")
    ] = False,
    mean: MeanOption = None,
    std: StdOption = None,
    scale: ScaleOption = None,
    color: ColorOption = None,
    fit: FitOption = None,
    task: TaskOption = None,
) -> None:
    """Search the α of quantile ranges that brings a scheme closest to the fp32 network.

    It is measured on the frames that `videoquant quantize` calibrates on.
    """
    check_targets(
        {
            "NETWORK": network,
            "--video": video,
            "--images": images,
            "--dataset": dataset,
            "--checkpoint": checkpoint,
        },
        {"--json": json_file, "--plot": plot},
    )
    if plot:
        check_plot(plot)
    wanted = Scheme.parse(scheme)
    check_has_alpha(wanted)
    source = open_source(video, images, dataset)
    if are_stills(source, images) and not isinstance(wanted.time, Frame):
        raise SchemeError(f"{wanted}: needs a video; stills have no frame before them")
    captured = open_network(network, checkpoint, size, source, mean, std, scale, color, fit, task)
    channels_match(captured)

    clips = calibration_clips(captured, source, wanted)
    with progress_bar("α", None) as advance:  # how many it takes shows on the way
        curve = search_alpha(captured, wanted, clips, advance, exhaustive)
    if json_file:
        data = {"made": made_by(), "network": captured.name, "source": source.name, **to_dict(curve)}
        with atomic_write(json_file) as temporary:
            text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
    if plot:
        write_alpha_plot(curve, captured, plot)
    console.print(curve_table(curve, captured))
    known = task_for(captured)
    if known and not any(known.measures[0].name in point.agreement for point in curve.points):
        note(f"{known.measures[0].label}: these frames show nothing to measure; chosen by SQNR alone")
    say(f"on {curve.frames} frames of {source.name}, those that `videoquant quantize` calibrates on")
    say(f"scheme: {curve.scheme}")
    if plot:
        say(f"plot: {plot}")


def curve_table(curve: AlphaCurve, network: Network) -> Table:
    """A line per α: SQNR and the task's first measure if there is one; `BEST_MARK` stands at the best."""
    task = task_for(network)
    measure = task.measures[0] if task else None
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("", width=1)
    table.add_column("α")
    table.add_column("SQNR dB ↑", justify="right")
    if measure:
        table.add_column(heading(measure), justify="right")
    for point in curve.points:
        best = point.alpha == curve.best
        cells = [
            BEST_MARK if best else "",
            f"{point.alpha:.6g}",
            "exact" if point.sqnr_db >= EXACT_DB else f"{point.sqnr_db:.2f}",
        ]
        if measure:
            value = point.agreement.get(measure.name)
            cells.append(ABSENT if value is None else f"{value:.{measure.digits}f}")
        table.add_row(*cells, style="bold" if best else "")
    return table


def to_dict(curve: AlphaCurve) -> dict[str, Any]:
    """The JSON form of a curve: the scheme's text with the best α, that α, frames, and every point."""
    return {
        "scheme": str(curve.scheme),
        "best": curve.best,
        "frames": curve.frames,
        "points": [asdict(point) for point in curve.points],
    }
