"""HTML of a few lines, as notebooks show it: a table, or facts by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    head = "".join(
        f"<th style='text-align:{_side(i)}'>{escape(text)}</th>" for i, text in enumerate(headings)
    )
    lines = [
        "".join(f"<td style='text-align:{_side(i)}'>{escape(cell)}</td>" for i, cell in enumerate(row))
        for row in rows
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def facts(title: str, named: Mapping[str, str]) -> str:
    """A title, and below it names with what they are; those with nothing are left out."""
    rows = [[name, text] for name, text in named.items() if text]
    listed = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(text)}</td></tr>"
        for name, text in rows
    )
    return f"<strong>{escape(title)}</strong><table><tbody>{listed}</tbody></table>"


def _side(column: int) -> str:
    return "right" if column else "left"
