"""`videoquant chips`: the chips there are; `videoquant chips fit` makes one from measured times."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from videoquant.cli.console import console, note, progress_bar, say
from videoquant.cli.networks import open_network
from videoquant.cli.targets import check_targets
from videoquant.costs.bench_rows import PARAMETERS, measurements, read_bench, timed_chip
from videoquant.costs.chip import Chip, precision_text
from videoquant.costs.chip_file import chip_names, open_chip, write_chip
from videoquant.costs.fit import errors, fit_chip, leave_one_out
from videoquant.costs.simulator import SchemeCost, fallback_sentences
from videoquant.errors import ChipError
from videoquant.report.shown_columns import narrowed

ChipOption = Annotated[
    str | None,
    typer.Option(
        "--chip",
        metavar="FILE|NAME",
        help="Simulate time and energy on this chip: a TOML file, or a name of `videoquant chips`.",
    ),
]

app = typer.Typer(
    help="List the chips that --chip knows by name, or fit one to measured times (chips fit).",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback()
def command(context: typer.Context) -> None:
    """List the chips."""
    if context.invoked_subcommand is not None:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("name", "chip", "GMAC/s", "GB/s", "buffer kB", "energy", "source"):
        number = heading in ("GB/s", "buffer kB")
        justify: Literal["left", "right"] = "right" if number else "left"
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=heading in ("name", "GMAC/s"))
    for name in chip_names():
        chip = open_chip(name)
        peaks = "\n".join(f"{precision_text(p)} {peak / 1e9:,.0f}" for p, peak in chip.peak.items())
        numbers = (f"{chip.bandwidth / 1e9:,.0f}", f"{chip.buffer / 1e3:,.0f}")
        table.add_row(name, chip.name, peaks, *numbers, "yes" if chip.energy else "no", chip.source)
    console.print(narrowed(table, console, ("source",)))


@app.command("fit")
def fit(
    bench: Annotated[list[Path], typer.Argument(help="Files bench.json of `videoquant bench`, one machine.")],
    networks: Annotated[
        list[str],
        typer.Option("--network", metavar="NETWORK", help="The network of each file, in the same order."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="F", help="The chip's TOML file.")],
) -> None:
    """Fit a chip to what `videoquant bench` measured on a machine: peaks, bandwidth, buffer, overhead."""
    if len(networks) != len(bench):
        raise ChipError(f"{len(bench)} files and {len(networks)} networks; give --network once per file")
    check_targets({"BENCH": bench, "--network": networks}, {"--output": output})
    benches = [read_bench(path) for path in bench]
    start = timed_chip(benches)
    rows = [
        row
        for data, network in zip(benches, networks, strict=True)
        for row in measurements(data, open_network(network))
    ]
    with progress_bar("fitting", None):
        chip = fit_chip(start, rows, PARAMETERS)
        left_out = leave_one_out(start, rows, PARAMETERS)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("network", "scheme", "measured ms", "simulated ms", "error", "left out"):
        table.add_column(heading, justify="left" if heading in ("network", "scheme") else "right")
    for row, error, without in zip(rows, errors(chip, rows), left_out, strict=True):
        simulated = f"{row.ms * (1 + error):.2f}"
        table.add_row(
            row.network, str(row.scheme), f"{row.ms:.2f}", simulated, f"{error:+.0%}", f"{without:+.0%}"
        )
    write_chip(chip, output, "Fitted by `videoquant chips fit` to what `videoquant bench` measured.")
    console.print(table)
    say(f"chip: {output}")


def say_fallbacks(chip: Chip, costs: Iterable[SchemeCost]) -> None:
    """Notes on what the chip lacks of what the schemes need."""
    fallbacks = {wanted: found for cost in costs for wanted, found in cost.fallbacks.items()}
    for sentence in fallback_sentences(chip, fallbacks):
        note(f"note: {sentence}")
