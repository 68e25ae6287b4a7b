"""Which columns a table in a terminal shows: those that are asked for, else those that fit."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

from videoquant.errors import SchemeError


def column_name(heading: object) -> str:
    """A heading as one asks for it: on one line, without its arrow."""
    return " ".join(str(heading).split()).rstrip(" ↑↓")


def chosen_columns(text: str | None, headings: Sequence[object]) -> list[str] | None:
    """The columns that --columns names, by their names or how these begin; None where it says nothing.

    headings: of the columns that there can be. Raises `SchemeError` for another one, with the nearest.
    """
    if text is None:
        return None
    known = {column_name(heading).lower(): column_name(heading) for heading in headings}
    chosen = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        found = [name for key, name in known.items() if key.startswith(word.lower())]
        exact = known.get(word.lower())
        if exact is None and len(found) != 1:
            near = get_close_matches(word.lower(), known, n=1)
            meant = f"did you mean {known[near[0]]}? " if near and not found else ""
            what = "may be several columns" if found else "is no column"
            raise SchemeError(f"--columns: {word} {what}; {meant}there are {', '.join(known.values())}")
        chosen.append(exact or found[0])
    if not chosen:
        raise SchemeError(f"--columns is empty; there are {', '.join(known.values())}")
    return chosen


def narrowed(
    table: Table, console: Console, spare: Sequence[str], only: Sequence[str] | None = None
) -> Table:
    """The table with the columns of `only`, or without so many of `spare`, from its first on, that it fits.

    What is missing is said below it. Without this the column that a reader looks for is cut with the others.
    spare, only: names as of `column_name`. The column of names always stays.
    """
    if only is not None:
        named = {column_name(column.header): column for column in table.columns}
        first = next((i for i, column in enumerate(table.columns) if column_name(column.header)), 0)
        leading = table.columns[: first + 1]  # a mark without a heading may stand before the names
        _keep(table, [*leading, *(named[name] for name in dict.fromkeys(only) if name in named)])
        return table
    options = console.options.update(width=10_000, max_width=10_000)
    left_out = []
    for name in spare:
        if Measurement.get(console, options, table).maximum <= console.width:
            break
        kept = [column for column in table.columns if column_name(column.header) != name]
        left_out += [name] * (len(kept) < len(table.columns))
        _keep(table, kept)
    if left_out:
        said = f"not shown, for want of width: {', '.join(left_out)}"
        table.caption = f"{table.caption}\n{said}" if table.caption else said
        table.caption_justify = "left"
    return table


def _keep(table: Table, columns: list[Column]) -> None:
    for index, column in enumerate(columns):
        column._index = index  # by which Rich finds the edges of a table
    table.columns = columns
