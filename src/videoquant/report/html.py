"""The HTML report: one page that opens offline, with its style, charts and film inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from videoquant.comparison import Comparison
from videoquant.files import atomic_write, output_folder
from videoquant.json_file import plain, write_json
from videoquant.made import made_by
from videoquant.report import html_sections as sections
from videoquant.report.answer import Answer, answer
from videoquant.report.chart_style import bundle
from videoquant.report.clip_table import clip_section
from videoquant.report.fidelity_chart import fidelity_charts
from videoquant.report.label_table import label_section
from videoquant.report.palette import family
from videoquant.report.results import CSV_FILE, JSON_FILE, PAGE_FILE, to_dict, write_csv
from videoquant.report.viewer import viewer


def write_report(
    comparison: Comparison,
    folder: str | Path,
    made: Mapping[str, str] | None = None,
    found: Answer | None = None,
) -> Path:
    """Write report.html, results.json and results.csv into `folder`, which is made where it is missing.

    made: what they say of their origin (`made_by`), by default now.
    found: what the page and the JSON file recommend, by default `answer(comparison)`.
    Returns the path of report.html. Raises `OutputError` where the folder or a file cannot be written.
    """
    target, made, found = output_folder(folder), made or made_by(), found or answer(comparison)
    write_json(to_dict(comparison, made, found), target / JSON_FILE)
    write_csv(comparison, target / CSV_FILE)
    path = target / PAGE_FILE
    with atomic_write(path) as temporary:
        temporary.write_text(page(comparison, made, found), encoding="utf-8")
    return path


def page(comparison: Comparison, made: Mapping[str, str] | None = None, found: Answer | None = None) -> str:
    """The whole page. made, found: as of `write_report`. Sections with nothing to show are left out."""
    name = f"{comparison.network} on {comparison.source}"
    found = found or answer(comparison)
    looked, film = viewer(comparison)
    drawn = fidelity_charts(comparison, found)
    parts = (
        sections.overview(comparison, found),
        sections.results(comparison, found),
        clip_section(comparison),
        sections.fidelity(comparison, found, drawn),
        sections.choose(comparison, found),
        looked,
        sections.frame_by_frame(comparison),
        sections.layers(comparison),
        sections.bits(comparison),
        sections.densities(comparison),
        sections.ranges(comparison),
        label_section(comparison),
        sections.method(comparison, made or made_by()),
    )
    body = "\n".join(part for part in parts if part)
    data = {
        "charts": sections.charts(comparison, drawn),
        "film": film,
        "scheme": first_shown(comparison, found),
    }
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(name)} · videoquant</title>
<link rel="icon" href="data:,">
<style>
{_asset("style.css")}</style>
</head>
<body>
<header>
<p class="eyebrow">videoquant comparison</p>
<h1>{escape(comparison.network)} <span>on</span> {escape(comparison.source)}</h1>
</header>
<main>
{body}
</main>
<script type="application/json" id="data">{_json(data)}</script>
<script type="module">{bundle()}</script>
<script type="module">
{_asset("page.js")}</script>
</body>
</html>
"""


def first_shown(comparison: Comparison, found: Answer) -> str:
    """The scheme that is looked at first: the answer, else the first quantized one."""
    quantized = [row for row in comparison.rows if family(row.scheme) != "float"]
    row = found.row or next(iter(quantized or comparison.rows), None)
    return row.name if row else ""


def _json(data: dict[str, Any]) -> str:
    """As text that no browser takes for markup."""
    return json.dumps(plain(data), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return resources.files("videoquant.report").joinpath(name).read_text(encoding="utf-8")
