"""`videoquant inspect` of a plan: what the engine runs, as text and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from videoquant.cli.console import say
from videoquant.cli.targets import check_targets
from videoquant.engine import load_plan, lower
from videoquant.errors import NetworkError
from videoquant.files import check_file
from videoquant.quantized_onnx import is_quantized_onnx
from videoquant.report.plan_picture import check_picture, write_plan_picture
from videoquant.report.plan_text import plan_lines
from videoquant.runtime.plan_file import is_plan_file
from videoquant.storage import is_quantized_file, load_quantized


def inspect_plan(file: str, others: Sequence[str], picture: Path | None) -> None:
    """Print a plan's file, or the plan of a quantized file, and draw it where a path is given.

    others: options that say nothing of a plan. Raises `NetworkError` where there are any, and for other
    files.
    """
    if others:
        raise NetworkError(f"{file}: of a plan, {others[0]} says nothing; leave it out")
    check_targets({"NETWORK": file}, {"--plot": picture})
    if picture is not None:
        check_picture(picture)
    if is_plan_file(file):
        plan = load_plan(file)
    elif is_quantized_file(file) or is_quantized_onnx(file):
        plan = lower(load_quantized(file))
    else:
        if Path(file).suffix:  # a file's name, and no network's
            check_file(file, NetworkError)
        raise NetworkError(f"{file}: --plan is of what `videoquant quantize` stored, or of a plan's file")
    for line in plan_lines(plan):
        say(line)
    if picture is not None:
        write_plan_picture(plan, picture)
        say("")
        say(f"picture   {picture}")
