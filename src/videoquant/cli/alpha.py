"""`videoquant alpha`: how much of the activations' tails is best clipped, for a network, scheme and clip."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from videoquant.axes import Frame
from videoquant.calibration.alpha import AlphaCurve, check_has_alpha, search_alpha
from videoquant.calibration.sampling import calibration_clips
from videoquant.cli.console import console, progress_bar, say
from videoquant.cli.networks import CheckpointOption, NetworkArgument, SizeOption, open_network
from videoquant.cli.options import (
    DatasetOption,
    ImagesOption,
    Texts,
    VideoOption,
    are_stills,
    channels_match,
    note_unmeasured,
    open_source,
    preprocessing_options,
)
from videoquant.cli.targets import check_targets, common_reads
from videoquant.errors import SchemeError
from videoquant.json_file import write_json
from videoquant.made import made_by
from videoquant.network.graph import Network
from videoquant.report.alpha_plot import write_alpha_plot
from videoquant.report.plot_file import check_plot
from videoquant.report.table import ABSENT, heading
from videoquant.schemes import Scheme
from videoquant.tasks import task_for
from videoquant.tasks.sqnr import EXACT_DB

BEST_MARK = "*"


@preprocessing_options
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
    *,
    preprocessing: Texts,
) -> None:
    """Search the α of quantile ranges that brings a scheme closest to the fp32 network.

    It is measured on the frames that `videoquant quantize` calibrates on.
    """
    check_targets(
        common_reads(network, video, images, dataset, checkpoint, preprocessing),
        {"--json": json_file, "--plot": plot},
    )
    if plot:
        check_plot(plot)
    wanted = Scheme.parse(scheme)
    check_has_alpha(wanted)
    source = open_source(video, images, dataset)
    if are_stills(source, images) and not isinstance(wanted.time, Frame):
        raise SchemeError(f"{wanted}: needs a video; stills have no frame before them")
    captured = open_network(network, checkpoint, size, source, preprocessing)
    channels_match(captured)

    clips = calibration_clips(captured, source, wanted)
    with progress_bar("α", None) as advance:  # how many it takes shows on the way
        curve = search_alpha(captured, wanted, clips, advance, exhaustive)
    if json_file:
        data = {"made": made_by(), "network": captured.name, "source": source.name, **to_dict(curve)}
        write_json(data, json_file)
    if plot:
        write_alpha_plot(curve, captured, plot)
    console.print(curve_table(curve, captured))
    known = task_for(captured)
    if known:
        found = [point.agreement for point in curve.points]
        note_unmeasured(known.measures[:1], found, "; chosen by SQNR alone")
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
