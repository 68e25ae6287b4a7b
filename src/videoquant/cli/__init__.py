"""The `videoquant` command. One file per subcommand; this one turns errors into one line and exit code 2."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from videoquant.cli import alpha, bench, chips, compare, inspect, quantize, run, train
from videoquant.cli.console import note, say, unfailing_streams
from videoquant.errors import VideoQuantError
from videoquant.limits import DEFAULT_GIB, size_limit
from videoquant.made import VERSION


class _Commands(TyperGroup):
    """Ctrl-C ends any command in one line and exit code 130; some end earlier, with what they have."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("videoquant: stopped", file=sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"videoquant {VERSION}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    size_gib: Annotated[
        float,
        typer.Option(
            "--size-limit", metavar="GIB", min=0, help="How much memory a file may ask for, in GiB."
        ),
    ] = DEFAULT_GIB,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Quantize vision networks for video: what each bit-width and scheme costs, and what it loses."""
    context.with_resource(size_limit(size_gib))


app.command("alpha")(alpha.command)
app.add_typer(bench.app, name="bench")
app.add_typer(chips.app, name="chips")
app.command("compare")(compare.command)
app.command("inspect")(inspect.command)
app.command("quantize")(quantize.command)
app.command("run")(run.command)
app.command("train")(train.command)


def main() -> None:
    """Entry point: a user's mistake ends in one line on stderr and exit code 2, never in a traceback."""
    warnings.showwarning = _show_warning
    with unfailing_streams():
        try:
            app()
        except VideoQuantError as error:
            print(f"videoquant: error: {error}", file=sys.stderr)
            sys.exit(2)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if Path(filename).is_relative_to(Path(__file__).parents[1]):
        note(f"videoquant: warning: {message}")
