"""Plots as files of their own: SVG or PNG, by the suffix of the path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from videoquant.errors import OutputError
from videoquant.files import atomic_write, check_writable
from videoquant.report.plot_style import style

SUFFIXES = (".svg", ".png")


def write_plot(draw: Callable[[], Figure], path: str | Path) -> None:
    """Write the figure that `draw` makes, called inside `style()`; errors as of `check_plot`."""
    check_plot(path)
    suffix = Path(path).suffix.lower()
    metadata: dict[str, Any] = {"Date": None} if suffix == ".svg" else {}
    with style(), atomic_write(path) as temporary:
        draw().savefig(temporary, format=suffix[1:], dpi=144, facecolor="white", metadata=metadata)


def check_plot(path: str | Path) -> None:
    """Raise `OutputError` for a suffix that is not one of `SUFFIXES`, or where no file can be written."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise OutputError(f"{path}: the suffix of a plot must be one of {', '.join(SUFFIXES)}")
    check_writable(path)
