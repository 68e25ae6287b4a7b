"""`videoquant inspect`: what a network is made of, and what a scheme would do to each layer."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from videoquant.axes import Residual
from videoquant.cli.chips import ChipOption, say_fallbacks
from videoquant.cli.console import console, say
from videoquant.cli.inspect_plan import inspect_plan
from videoquant.cli.networks import CheckpointOption, SizeOption, open_network
from videoquant.cli.options import (
    ColumnsOption,
    Texts,
    preprocessing_options,
)
from videoquant.cli.sizes import parse_size
from videoquant.cli.targets import check_targets, common_reads
from videoquant.costs.bops import amortised_bops, frame_bops
from videoquant.costs.chip import Chip, Precision
from videoquant.costs.chip_file import open_chip
from videoquant.costs.simulator import FrameCost, SchemeCost, frame_cost, precisions, scheme_cost
from videoquant.costs.workload import Workload, workload
from videoquant.errors import NetworkError
from videoquant.models import names
from videoquant.models.loading import SHIPPED
from videoquant.network.graph import Network
from videoquant.quantized_onnx import is_quantized_onnx
from videoquant.quantizers.placement import float_layers, layer_bits, points, weighing_layers
from videoquant.quantizers.positions import resolve, responsible
from videoquant.ranges.sources import Predicted
from videoquant.report.plot_file import check_plot
from videoquant.report.roofline_plot import write_roofline_plot
from videoquant.report.shown_columns import chosen_columns, narrowed
from videoquant.report.table import ABSENT
from videoquant.runtime.plan_file import is_plan_file
from videoquant.schemes import Scheme
from videoquant.simulate.parameters import Parameters, PointGrids
from videoquant.storage import is_quantized_file, load_quantized

# Columns that a narrow terminal goes without.
SPARE = ("weights", "operator", "parameters", "bound by", "output")


@preprocessing_options
def command(
    network: Annotated[
        str,
        typer.Argument(
            help=f"An ONNX file, a network's name ({', '.join((*SHIPPED, *names()))}), a quantized file, "
            "or a plan's."
        ),
    ],
    scheme: Annotated[
        str | None,
        typer.Option(help='Show what this scheme quantizes, e.g. "w8a8->w4a4 T=3" (default w8a8).'),
    ] = None,
    checkpoint: CheckpointOption = None,
    size: SizeOption = None,
    *,
    preprocessing: Texts,
    chip: ChipOption = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Of a quantized file: print the plan that the engine runs.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="F",
            help="With --chip: draw the roofline here, an .svg or a .png file [roofline.svg]. "
            "Of a plan: draw it here, an .svg file.",
        ),
    ] = None,
    columns: ColumnsOption = None,
) -> None:
    """Print a network's layers: shapes, parameters, MACs, and the bits a scheme gives each."""
    if plan or is_plan_file(network):
        others = {"--scheme": scheme, "--checkpoint": checkpoint, "--size": size, "--chip": chip}
        others["--columns"] = columns
        inspect_plan(network, [o for o, v in others.items() if v is not None], plot)
        return
    plot = plot or Path("roofline.svg")
    if chip is not None:
        reads = common_reads(network, None, None, None, checkpoint, preprocessing) | {"--chip": chip}
        check_targets(reads, {"--plot": plot})
        check_plot(plot)
    target = None if chip is None else open_chip(chip)
    if is_quantized_onnx(network) or is_quantized_file(network):
        if checkpoint is not None:
            raise NetworkError(f"{network}: its weights are stored with it; quantize again to change them")
        wanted = None if size is None else parse_size(size, "--size")
        quantized = load_quantized(network, preprocessing=preprocessing, size=wanted)
        graph, shown = quantized.network, Scheme.parse(scheme) if scheme else quantized.scheme
        calibrated = quantized if shown == quantized.scheme else None
    else:
        shown = Scheme.parse(scheme or "w8a8")
        graph = open_network(network, checkpoint, size, None, preprocessing)
        calibrated = None
    work = workload(graph) if target else None
    cost = frame_cost(target, work, shown, shown.period == 1) if target and work else None
    table = layer_table(graph, shown, calibrated, cost)
    only = chosen_columns(columns, [column.header for column in table.columns])
    console.print(narrowed(table, console, SPARE, only))
    for line in [
        *summary(graph, shown),
        *(frame_codes(calibrated) if calibrated else []),
        *(prediction(calibrated) if calibrated else describe_predictors(graph, shown)),
    ]:
        console.print(line)
    if target and work and cost:
        whole = scheme_cost(target, work, shown)
        console.print(on_chip(target, shown, whole))
        say_fallbacks(target, [whole])
        if whole.ms is not None:
            drawn = roofs(target, work, shown)
            write_roofline_plot(f"{graph.name}, {shown}", target, cost, drawn, work.names, plot)
            say(f"roofline       {plot}")


def layer_table(
    network: Network, scheme: Scheme, calibrated: Parameters | None, cost: FrameCost | None = None
) -> Table:
    """One line per layer, in the order they run; of a calibrated one with the origin of its ranges.

    cost: of a frame on a chip; adds each layer's time, its share, and what bounds it.
    """
    bits = layer_bits(network, scheme)
    ranges: dict[str, str] = {}
    if calibrated:
        ranges = {layer: ranges_text(calibrated.grids[at]) for layer, at in calibrated.points.items()}
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("layer", overflow="fold", min_width=12)
    table.add_column("operator", no_wrap=True)
    for heading in ("weights", "output", "parameters", "MMACs", "bits"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("µs", "share", "bound by") if cost else ():
        table.add_column(heading, justify="right", no_wrap=True)
    if calibrated:
        table.add_column("ranges", no_wrap=True)
    for index, node in enumerate(network.layers):
        owned = network.node_tensors(node)
        table.add_row(
            node.name,
            node.op,
            "×".join(map(str, owned["weight"].shape)),
            "×".join(map(str, network.shapes[node.name][1:])),
            f"{sum(t.numel() for t in owned.values()):,}",
            f"{network.macs[node.name] / 1e6:,.2f}",
            str(bits[node.name]),
            *(chip_cells(cost, index) if cost else ()),
            *([ranges[node.name]] if node.name in ranges else []),
        )
    return table


def chip_cells(cost: FrameCost, index: int) -> tuple[str, str, str]:
    """One layer's microseconds, their share, and what bounds it; dashes where the chip cannot run it."""
    seconds = float(cost.seconds[index])
    if math.isnan(seconds):
        return (ABSENT,) * 3
    total = float(np.nansum(cost.seconds))
    bound = "memory" if cost.memory[index] > cost.compute[index] else "computing"
    return f"{seconds * 1e6:.2f}", f"{seconds / total:.1%}", bound


def on_chip(chip: Chip, scheme: Scheme, cost: SchemeCost) -> str:
    """The line of the chip: what a frame takes; the table's layers are those of a residual frame, if any."""
    if cost.ms is None:
        return f"chip           {chip.name}: it cannot run {scheme}"
    line = f"chip           {chip.name}: {cost.ms:.3g} ms per frame, {cost.frames_per_second:.0f} fps"
    line += "" if cost.mj is None else f", {cost.mj:.3g} mJ"
    return line + ("; µs above are of a residual frame" if scheme.period > 1 else "")


def roofs(chip: Chip, work: Workload, scheme: Scheme) -> list[Precision]:
    """The chip's precisions that compute the scheme."""
    found = {chip.precision(*wanted) for wanted in precisions(work, scheme)}
    return sorted(precision for precision in found if precision)


def ranges_text(grids: PointGrids) -> str:
    """Where the ranges of keyframes and of residual frames come from; of predicted ones what and how well."""
    residual = "" if grids.residual is None else grids.residual.describe()
    words = [grids.key.describe(), "the frame's codes" if grids.of_frame else residual]
    return " -> ".join(dict.fromkeys(filter(None, words)))


def frame_codes(quantized: Parameters) -> list[str]:
    """How many quantizers of a residual scheme take the frame's own codes, for people."""
    time = quantized.scheme.time
    if not isinstance(time, Residual) or not time.frame_codes:
        return []
    count = sum(grids.of_frame for grids in quantized.grids.values())
    return [
        f"frame codes    {count} of {len(quantized.grids)} quantizers take the frame's own on residual frames"
    ]


def describe_predictors(network: Network, scheme: Scheme) -> list[str]:
    """Where a scheme's predictors would look, for people; nothing where ranges are not predicted."""
    ranges = scheme.ranges
    if not isinstance(ranges, Predicted):
        return []
    if ranges.automatic:
        more = ranges.automatic - 1
        return [f"predictors     at the first activation and at most {more} places that calibration finds"]
    at = points(network, layer_bits(network, scheme))
    positions = resolve(network, ranges.positions, at)
    served = len(responsible(network, positions, at))
    rest = "" if served == len(set(at.values())) else "; those before are static"
    return [f"predictors     {served} of {len(set(at.values()))} ranges, from {', '.join(positions)}{rest}"]


def prediction(quantized: Parameters) -> list[str]:
    """What the predictors read and how good they are, for people; nothing where there are none."""
    sources = [grid for grids in quantized.grids.values() for grid in (grids.key, grids.residual)]
    predictors = [
        source.predictor for source in sources if source is not None and source.predictor is not None
    ]
    if not predictors:
        return []
    lines = [
        f"predictors     {len(predictors)} ranges; squared error of the median one "
        f"{statistics.median(p.quality for p in predictors):.2f} of the static average's (below 1 is a gain)"
    ]
    for position, watched in quantized.watched.items():
        residual = f"; residuals: {', '.join(watched.residual)}" if watched.residual else ""
        lines.append(f"               {position} gives {', '.join(watched.key)}{residual}")
    return lines


def left_in_float(network: Network, scheme: Scheme) -> list[str]:
    """Which layers of a quantized network stay in floating point, and why."""
    if scheme.is_float:
        return []
    weighing = weighing_layers(network)
    whys = {
        name: "weighs a distribution; quantize= overrules it" if name in weighing else "keep-float="
        for name in sorted(float_layers(network, scheme))
    }
    return [f"floating point {name}: {why}" for name, why in whys.items()]


def summary(network: Network, scheme: Scheme) -> list[str]:
    """The network in a few lines: input, outputs, preprocessing, totals."""
    p = network.preprocessing
    outputs = ", ".join(f"{n} {'×'.join(map(str, network.shapes[v]))}" for n, v in network.outputs.items())
    states = ", ".join(f"{state} {'×'.join(map(str, network.shapes[state]))}" for state in network.states)
    others = sorted({node.op for node in network.nodes if not node.is_layer})
    bits = layer_bits(network, scheme)
    quantized = sum(not bits[node.name].is_float for node in network.layers)
    key, residual = (frame_bops(network, scheme, is_key) / 1e9 for is_key in (True, False))
    kept = left_in_float(network, scheme)
    gbops = amortised_bops(key, residual, scheme.period)
    at_most = "at most " if getattr(scheme.time, "adaptive", False) else ""
    numbers = [",".join(f"{v:g}" for v in values) for values in (p.mean, p.std)]
    return [
        "",
        f"network        {network.name}: input {network.input} {'×'.join(map(str, network.input_shape))}",
        f"outputs        {outputs}",
        *([f"states         {states}"] if states else []),
        f"preprocessing  {p.color} × {p.scale:.6g}, mean {numbers[0]}, std {numbers[1]}, {p.fit}; "
        f"task {p.task or 'unknown (--task names it)'}",
        f"layers         {len(network.layers)}, and {', '.join(others)}",
        f"parameters     {sum(t.numel() for t in network.tensors.values()):,}",
        f"MACs           {sum(network.macs.values()) / 1e9:.3f} G per frame",
        *kept,
        f"scheme         {scheme}: {quantized} of {len(network.layers)} layers quantized, "
        f"{at_most}{gbops:.2f} GBOPs per frame (fp32 {sum(network.macs.values()) * 1024 / 1e9:.2f})",
    ]
