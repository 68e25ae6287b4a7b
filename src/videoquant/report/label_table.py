"""The accuracy of each class or joint by scheme, where labels tell them apart: page and terminal."""

from __future__ import annotations

import textwrap
from html import escape

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from videoquant.comparison import Comparison
from videoquant.report.table import ABSENT

# By task: what a number is, and what it is of.
_NAMES = {"segmentation": ("IoU", "class"), "pose": ("PCK", "joint"), "detection": ("AP", "class")}
MOST_IN_TERMINAL = 30  # classes; data sets with more are left to the report
SCHEME = 14  # columns that a scheme's text has at least; a longer one folds at a space
EDGES = 2  # columns beside the table's own
CHUNK = 4  # letters of a class in a line of a terminal's heading


def labels_of(comparison: Comparison) -> list[str]:
    """The classes or joints of a comparison, in the order of the data set; [] where there are none."""
    return list(dict.fromkeys(label for row in comparison.rows for label in row.accuracy_by_label))


def label_section(comparison: Comparison) -> str:
    """The section of the page: a row per scheme, a column per class, the darker the better; "" without."""
    labels = labels_of(comparison)
    if not labels:
        return ""
    number, kind = _names(comparison)
    heads = "".join(f"<th class='n'>{escape(label)}</th>" for label in labels)
    lines = []
    for row in comparison.rows:
        values = (row.accuracy_by_label.get(label) for label in labels)
        cells = "".join(
            f"<td class='n'>{ABSENT}</td>"
            if value is None
            else f"<td class='n shade' style='--share:{max(0.0, min(1.0, value)):.3f}'>{value:.2f}</td>"
            for value in values
        )
        lines.append(f"<tr><td><code>{escape(row.name)}</code></td>{cells}</tr>")
    caption = (
        f"{number} of each {kind} against the labels: how much of it a scheme finds, and where what it loses "
        f"lies. {ABSENT} stands where no frame holds the {kind}."
    )
    return (
        f"<section>\n<h2>{number} per {kind}</h2>\n<div class='scroll' role='region' aria-label='Labels' "
        "tabindex='0'><table class='dense'>\n"
        f"<thead><tr><th>scheme</th>{heads}</tr></thead>\n<tbody>\n"
        + "\n".join(lines)
        + f"\n</tbody></table></div>\n<p class='caption'>{caption}</p>\n</section>"
    )


def render_labels(comparison: Comparison, console: Console) -> Table | None:
    """IoU per class in percent, a row per scheme; None where there is none or it does not fit.

    It is drawn for segmentation of at most `MOST_IN_TERMINAL` classes on a console wide enough for it.
    """
    labels = labels_of(comparison)
    room = console.width - len(labels) * (CHUNK + 1) - EDGES
    if comparison.task != "segmentation" or not 0 < len(labels) <= MOST_IN_TERMINAL or room < SCHEME:
        return None
    title = "IoU per class, % (labels)"
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=0)
    table.add_column("scheme", width=min(room, max(len(row.name) for row in comparison.rows)))
    for label in labels:
        table.add_column(Text(textwrap.fill(label, CHUNK)), justify="right", width=CHUNK + 1)
    for row in comparison.rows:
        values = (row.accuracy_by_label.get(label) for label in labels)
        cells = [ABSENT if value is None else f"{100 * value:.0f}" for value in values]
        table.add_row(Text(row.name), *cells)
    return table


def _names(comparison: Comparison) -> tuple[str, str]:
    first = comparison.accuracy[0].label if comparison.accuracy else "accuracy"
    return _NAMES.get(comparison.task or "", (first, "label"))
