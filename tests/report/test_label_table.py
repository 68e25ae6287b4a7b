"""IoU per class: its section of the page and its table in a terminal; what else labels add to a report."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from videoquant.comparison import Comparison
from videoquant.data.sets.camvid import CLASSES
from videoquant.report.chart_style import shown_measures
from videoquant.report.glossary import glossary
from videoquant.report.html import page
from videoquant.report.label_table import label_section, render_labels
from videoquant.report.results import to_dict, write_csv
from videoquant.report.summary import summary
from videoquant.tasks.metrics import MIOU

SCHEMES = ("fp32", "w8a8", "w8a8->w4a4 T=3")


@pytest.fixture
def labelled(make_comparison: Any) -> Comparison:
    """Three schemes with IoU 0.90, 0.80 and 0.70 of every class but the sixth, which no frame holds."""
    comparison: Comparison = make_comparison(SCHEMES, task="segmentation", accuracy=(MIOU,), labelled=60)
    for number, row in enumerate(comparison.rows):
        value = 0.9 - 0.1 * number
        row.accuracy = {"miou": value}
        row.accuracy_by_label = {name: None if name == "tree" else value for name in CLASSES}
    return comparison


def terminal(comparison: Comparison, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    table = render_labels(comparison, console)
    if table is None:
        return ""
    console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_the_page_has_a_row_per_scheme_and_a_column_per_class(labelled: Comparison) -> None:
    section = label_section(labelled)
    assert section in page(labelled)
    assert "<h2>IoU per class</h2>" in section
    assert re.findall(r"<th class='n'>(\w+)</th>", section) == list(CLASSES)
    rows = re.findall(r"<tr><td><code>(.*?)</code></td>(.*?)</tr>", section)
    assert [scheme for scheme, _ in rows] == ["fp32", "w8a8", "w8a8-&gt;w4a4 T=3"]
    for (_, cells), value in zip(rows, ("0.90", "0.80", "0.70"), strict=True):
        shown = re.findall(r">([^<>]+)</td>", cells)
        assert shown == ["–" if name == "tree" else value for name in CLASSES]
    assert "--share:0.700" in section


def test_without_labels_there_is_neither(comparison: Comparison) -> None:
    assert label_section(comparison) == "" and terminal(comparison) == ""


def test_the_terminal_shows_eleven_classes_in_80_columns(labelled: Comparison) -> None:
    lines = terminal(labelled).splitlines()
    assert lines and max(map(len, lines)) <= 80 and "…" not in "".join(lines)
    row = next(line for line in lines if line.strip().startswith("w8a8->w4a4 T=3"))
    assert row.split()[2:] == ["–" if name == "tree" else "70" for name in CLASSES]


def test_what_does_not_fit_a_terminal_is_left_to_the_report(labelled: Comparison) -> None:
    assert terminal(labelled, 60) == ""
    for row in labelled.rows:
        row.accuracy_by_label = {f"c{number}": 0.5 for number in range(31)}
    assert terminal(labelled, 400) == "" and "c30" in label_section(labelled)
    labelled.task = "pose"
    assert "<h2>PCK per joint</h2>" in label_section(labelled)


def test_json_and_csv_have_every_class(labelled: Comparison, tmp_path: Path) -> None:
    row = to_dict(labelled)["rows"][1]
    assert row["accuracy"] == {"miou": pytest.approx(0.8)}
    assert row["accuracy_by_label"]["sky"] == pytest.approx(0.8) and row["accuracy_by_label"]["tree"] is None
    write_csv(labelled, tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(newline="") as file:
        line = list(csv.DictReader(file))[1]
    assert float(line["accuracy_miou"]) == float(line["accuracy_by_label_sky"]) == pytest.approx(0.8)
    assert line["accuracy_by_label_tree"] == ""


def test_labels_are_told_apart_from_fp32(labelled: Comparison, comparison: Comparison) -> None:
    terms = dict(glossary(labelled))
    assert "(labels)" in terms and "ground truth" in terms["(labels)"] + terms["Reference"]
    assert "not with ground truth" not in terms["Reference"] and "(labels)" not in dict(glossary(comparison))
    assert any("By mIoU (labels) the best is `w8a8` (0.800)" in sentence for sentence in summary(labelled))
    first = shown_measures(labelled)[0]
    assert first.label == "mIoU (labels)"
    assert [first.value(row) for row in labelled.rows] == pytest.approx([0.9, 0.8, 0.7])
    first = shown_measures(comparison)[0]
    assert first.label == "keypoint F1" and first.value(comparison.rows[0]) == 1.0
