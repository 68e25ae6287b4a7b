"""Plots as files of their own, SVG or PNG by the suffix of the path, and beside each its numbers as CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from videoquant.errors import OutputError
from videoquant.files import atomic_write, check_writable
from videoquant.json_file import plain
from videoquant.report.plot_style import style

SUFFIXES = (".svg", ".png")
Numbers = Sequence[Mapping[str, Any]]


def write_plot(draw: Callable[[], Figure], numbers: Numbers, path: str | Path) -> None:
    """Write the figure that `draw` makes, called inside `style()`; errors as of `check_plot`.

    numbers: what it shows, a line each; they go to `numbers_file(path)`.
    """
    check_plot(path)
    suffix = Path(path).suffix.lower()
    metadata: dict[str, Any] = {"Date": None} if suffix == ".svg" else {}
    with style(), atomic_write(path) as temporary:
        draw().savefig(temporary, format=suffix[1:], dpi=144, facecolor="white", metadata=metadata)
    columns = list(dict.fromkeys(name for line in numbers for name in line))
    with (
        atomic_write(numbers_file(path)) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows({name: plain(value) for name, value in line.items()} for line in numbers)


def numbers_file(path: str | Path) -> Path:
    """The CSV beside a plot: curve.svg.csv beside curve.svg, a name that nothing else has."""
    return Path(f"{path}.csv")


def check_plot(path: str | Path) -> None:
    """Raise `OutputError` for a suffix that is not one of `SUFFIXES`, or where no file can be written."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise OutputError(f"{path}: the suffix of a plot must be one of {', '.join(SUFFIXES)}")
    check_writable(path)
    check_writable(numbers_file(path))
