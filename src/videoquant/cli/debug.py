"""`videoquant debug`: the first layer and value at which the engine differs from the simulation."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from videoquant import _native
from videoquant.cli.console import note, progress_bar, say
from videoquant.cli.engines import one_thread_of_pytorch
from videoquant.cli.options import DatasetOption, VideoOption, channels_match, open_source
from videoquant.cli.targets import check_targets
from videoquant.engine import load_plan, lower
from videoquant.engine.lockstep import Difference, Lockstep
from videoquant.errors import DataError, NetworkError, SchemeError
from videoquant.json_file import write_json
from videoquant.made import made_by
from videoquant.runtime.plan import Plan
from videoquant.runtime.session import open_session
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.storage import load_quantized

FORMAT = 1  # of the JSON; raised when a reader of it would have to change


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `videoquant quantize` stored.")],
    video: VideoOption = None,
    dataset: DatasetOption = None,
    count: Annotated[int, typer.Option("--frames", metavar="N", min=1, help="How many frames.")] = 10,
    stored: Annotated[
        Path | None,
        typer.Option("--plan", metavar="F", help="Run this stored plan; default: that of FILE, lowered now."),
    ] = None,
    isa: Annotated[
        str,
        typer.Option(metavar="NAME", help=f"Instruction set of the engine: {', '.join(_native.isas())}."),
    ] = _native.isas()[0],
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="F", help="Write what was found as JSON here.")
    ] = None,
) -> None:
    """Find the first layer and value at which the engine differs from the simulation on a clip.

    Operator by operator, each on what the simulation gave before it, so that the one that is named is the one
    to look at. Ends with exit code 1 where something differs that has to be equal to the last bit.
    """
    check_targets(
        {"FILE": file, "--video": video, "--dataset": dataset, "--plan": stored}, {"--json": json_file}
    )
    if isa not in _native.isas():
        raise SchemeError(f"--isa {isa}: this CPU has {', '.join(_native.isas())}")
    quantized = load_quantized(file)
    channels_match(quantized.network)
    clip = open_source(video, None, dataset)
    plan = lower(quantized) if stored is None else load_plan(stored)
    _check_belongs(plan, quantized, stored)
    both = Lockstep(quantized, plan, lambda plan: open_session(plan, threads=1, isa=isa), forced=True)
    frames, wrong = 0, None
    rounded: list[Difference] = []
    with one_thread_of_pytorch(True), progress_bar("comparing", count) as advance:
        for frame in itertools.islice(clip, count):
            found = both.run(frame)
            frames += 1
            advance()
            wrong = next((difference for difference in found.differences if not difference.may_round), None)
            if wrong:
                break
            rounded += found.differences
    if not frames:
        raise DataError(f"{clip.name}: no frame to compare on")
    free = _by_operator(rounded)
    if json_file:
        data = {
            "format": FORMAT,
            "made": made_by(),
            "network": plan.name,
            "scheme": str(plan.scheme),
            "isa": isa,
            "source": clip.name,
            "frames": frames,
            "compared": dict(both.compared),
            "difference": None if wrong is None else to_dict(wrong),
            "rounded": [to_dict(difference) for difference in free],
        }
        write_json(data, json_file)
    if wrong is not None:
        for line in described(wrong):
            say(line)
        raise typer.Exit(1)
    say(
        f"no difference in {frames} frames of {clip.name}: {both.compared['codes']:,} codes and "
        f"{both.compared['values']:,} values of {plan.name}, {plan.scheme}, on {isa}"
    )
    for difference in free:
        note(
            f"rounds otherwise, as it may: {difference.op.kind} {difference.op.name!r}, at "
            f"{difference.slot.name!r}: {_extent(difference)}"
        )


def _check_belongs(plan: Plan, quantized: QuantizedNetwork, stored: Path | None) -> None:
    """Raise where a stored plan is not of this network and scheme."""
    network = quantized.network
    if plan.input_shape != network.input_shape or plan.outputs.keys() != network.outputs.keys():
        raise NetworkError(f"--plan {stored}: a plan of another network, {plan.name}")
    if plan.scheme != quantized.scheme:
        raise SchemeError(f"--plan {stored}: its scheme is {plan.scheme}, not {quantized.scheme}")


def _by_operator(differences: Sequence[Difference]) -> list[Difference]:
    """Of each slot the frame that differs most, in the order in which they were first met."""
    found: dict[str, Difference] = {}
    for difference in differences:
        name = difference.slot.name
        if name not in found or difference.largest > found[name].largest:
            found[name] = difference
    return list(found.values())


def described(difference: Difference) -> list[str]:
    """A difference in a few lines, for people."""
    op, slot, grid = difference.op, difference.slot, difference.grid
    row, column, channel = difference.place
    what = "codes" if slot.type == "u8" else "values"
    lines = [
        f"frame {difference.frame}: {op.kind} {op.name!r} differs from simulation at {slot.name!r}",
        f"place          row {row}, column {column}, channel {channel} of {slot.h}×{slot.w}×{slot.c} {what}",
    ]
    for who, value in (("engine", difference.engine), ("simulation", difference.simulation)):
        means = ""
        if grid is not None:
            shift = 128 if grid.low < 0 else 0
            means = f", which stands for {(value - shift - grid.zero_point) * grid.scale:.9g}"
        lines.append(f"{who:14} {value:.9g}{means}")
    if grid is not None:
        lines.append(
            f"grid           scale {grid.scale:.9g}, zero point {grid.zero_point}, codes {grid.low} to "
            f"{grid.high}" + ("; a plan adds 128" if grid.low < 0 else "")
        )
    return [*lines, f"in all         {_extent(difference)}"]


def _extent(difference: Difference) -> str:
    """How many values differ, and by how much."""
    slot = difference.slot
    of = f"{difference.count:,} of {slot.elements:,}"
    if difference.in_steps:
        what = "codes" if slot.type == "u8" else "values"
        return f"{of} {what}, by at most {difference.largest:.0f} steps"
    return f"{of} values, by at most {difference.largest:.2g} of the largest"


def to_dict(difference: Difference) -> dict[str, Any]:
    """The JSON form of a difference."""
    op, slot, grid = difference.op, difference.slot, difference.grid
    return {
        "frame": difference.frame,
        "operator": {"kind": op.kind, "name": op.name},
        "slot": {"name": slot.name, "type": slot.type, "size": [slot.h, slot.w, slot.c]},
        "place": list(difference.place),
        "engine": difference.engine,
        "simulation": difference.simulation,
        "count": difference.count,
        "largest": difference.largest,
        "in_steps": difference.in_steps,
        "grid": None if grid is None else vars(grid),
    }
