"""The `videoquant` command. One file per subcommand; this one turns errors into one line and exit code 2.

A subcommand's file is imported when it runs or shows its help: most need PyTorch, which takes seconds to
import, and which a camera need not have.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from videoquant.cli.console import note, say, unfailing_streams
from videoquant.errors import CalibrationWarning, StreamWarning, VideoQuantError, needs_extra
from videoquant.limits import DEFAULT_GIB, size_limit
from videoquant.made import VERSION

# By its name, which is also its file's, what a subcommand does: the first line of its help.
COMMANDS = {
    "alpha": "Search the α of quantile ranges that brings a scheme closest to the fp32 network.",
    "bench": "Time engines (bench NETWORK), ranges (bench ranges), or regions and gates (bench gating).",
    "chips": "List the chips that --chip knows by name, or fit one to measured times (chips fit).",
    "compare": "Compare schemes on a clip: GBOPs per frame, SQNR, agreement with fp32, accuracy on labels.",
    "debug": "Find the first layer and value at which the engine differs from the simulation on a clip.",
    "export": "Write a quantized network as ONNX, for ONNX Runtime, OpenVINO and TensorRT.",
    "info": "Say what this machine has: CPU, instruction sets, engine, versions of libraries.",
    "inspect": "Print a network's layers: shapes, parameters, MACs, and the bits a scheme gives each.",
    "quantize": "Calibrate a scheme on a clip and store weights, codes and parameters in one file.",
    "run": "Run a quantized network over a stream and write the annotated video. Ctrl-C keeps what is done.",
    "train": "Train a network, in floating point or at low bits; several processes where `torchrun` starts "
    "it.",
}


def load_command(name: str) -> Any:
    """A subcommand with its options, from its file: that of `app` where it has subcommands, or `command`."""
    with needs_extra(f"videoquant {name}"):
        module = import_module(f"videoquant.cli.{name}")
    group = getattr(module, "app", None)
    if group is None:
        group = typer.Typer(add_completion=False, rich_markup_mode=None)
        group.command(name)(module.command)
    return typer.main.get_command(group)


class _Commands(TyperGroup):
    """Subcommands, loaded when they are called.

    Ctrl-C ends any of them in one line and exit code 130; some end earlier, with what they have.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args and args[0] in COMMANDS:
            self.commands[args[0]] = load_command(args[0])
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("videoquant: stopped", file=sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
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


for _name, _help in COMMANDS.items():
    app.command(_name, help=_help)(lambda: None)  # until `_Commands` loads it


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
    ours = issubclass(category, CalibrationWarning | StreamWarning)  # whoever in between called
    if ours or Path(filename).is_relative_to(Path(__file__).parents[1]):
        note(f"videoquant: warning: {message}")
