"""The page: complete, self-contained, escaped, and silent about what it has nothing to say on."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from videoquant.errors import OutputError
from videoquant.report import html as style
from videoquant.report.answer import Question, answer
from videoquant.report.html import page, write_report
from videoquant.report.wish import Wish, read_wish

VOID = {"meta", "img", "br", "link", "input"}


class Outline(HTMLParser):
    """Headings and the balance of tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


@pytest.fixture(scope="module")
def full(make_comparison: Any) -> str:
    return page(make_comparison())


def test_sections_of_a_full_run(full: str) -> None:
    outline = Outline(full)
    assert outline.open == []
    assert outline.headings == [
        "Results",
        "Fidelity against cost",
        "Frames to look at",
        "Frame by frame",
        "Where the loss arises",
        "Bits that adaptive schemes use",
        "How it was made",
    ]
    assert "<title>posenet on one-by-one-person-detection.mp4 · videoquant</title>" in full
    assert "not against ground truth" in full
    assert "15 frames of the same source, none of them scored" in full
    assert "stopped early" not in full


def test_nothing_is_loaded_from_elsewhere(full: str) -> None:
    links = Outline(full).links
    assert links and all(re.match("data:(image/(jpeg|png|webp);base64)?,|#", link) for link in links if link)
    assert not re.search(r"@import|url\((?!#)", Path(style.__file__).with_name("style.css").read_text())
    assert "https://cdn" not in full and len(full.encode()) < 3_000_000


def test_the_answer_stands_first_and_is_marked_in_the_table(make_comparison: Any) -> None:
    comparison = make_comparison()
    found = answer(comparison, Question(wish=read_wish("keypoint F1 >= 0.9", comparison.measures, ())))
    text = page(comparison, found=found)
    assert found.row is not None
    assert text.index("class='answer'") < text.index("class='summary'") < text.index("<table")
    marked = [line for line in text.splitlines() if line.startswith("<tr class=") and "the answer" in line]
    assert len(marked) == 1 and f"data-scheme='{found.row.name.replace('>', '&gt;')}'" in marked[0]


def test_commands_can_be_copied(make_comparison: Any) -> None:
    made = {"version": "1", "date": "2026-01-01", "command": "videoquant compare 'a b' --keep \"x >= 1\""}
    text = page(make_comparison(("fp32", "w8a8")), made)
    assert "<code id='made-by'>videoquant compare &#x27;a b&#x27; --keep &quot;x &gt;= 1&quot;</code>" in text
    assert "data-copy='made-by'" in text


def test_report_and_its_numbers_are_written(make_comparison: Any, tmp_path: Path) -> None:
    comparison = make_comparison(("fp32", "w8a8"))
    path = write_report(comparison, tmp_path / "new" / "report")
    assert path == tmp_path / "new" / "report" / "report.html"
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "report.html",
        "results.csv",
        "results.json",
    ]
    assert json.loads((path.parent / "results.json").read_text())["network"] == "posenet"
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_file_in_place_of_the_folder_is_refused(make_comparison: Any, tmp_path: Path) -> None:
    (tmp_path / "report").touch()
    with pytest.raises(OutputError, match="folder is needed"):
        write_report(make_comparison(("fp32",)), tmp_path / "report")


def test_names_are_escaped(make_comparison: Any) -> None:
    evil = "<script>alert('x')</script>&\"'"
    text = page(
        make_comparison(
            ("fp32", "w8a8"), network=evil, source=evil, calibration=evil, primary=evil, task=evil
        )
    )
    assert Outline(text).open == []
    assert "<script>alert" not in text
    assert text.count("</script>") == len(re.findall(r"<script [^>]*>", text)) == 4  # film, data, bundle, own


def test_bare_run_leaves_sections_out(make_comparison: Any) -> None:
    comparison = make_comparison(
        ("w8a8", "w4a4"), measures=(), task=None, drawn=[], calibration="", stills=True
    )
    for row in comparison.rows:
        row.agreement, row.layer_sqnr_db, row.pictures = {}, {}, []
    text = page(comparison)
    assert Outline(text).headings == ["Results", "Fidelity against cost", "How it was made"]
    assert "<canvas" not in text and "Calibrated on" not in text and "of fp32</th>" not in text
    for term in ("adaptive", "<dt>T</dt>", "F1"):
        assert term not in text.partition("<script")[0]


def test_incomplete_run_says_so_first(make_comparison: Any) -> None:
    text = page(make_comparison(("fp32",), complete=False, frames=1))
    notice = text.index("The run was stopped early: these results hold only the first 1 frame.")
    assert notice < text.index("class='summary'")


def test_table_gives_sortable_values(full: str) -> None:
    row = next(line for line in full.splitlines() if "<code>w8a8</code>" in line and line.startswith("<tr"))
    assert re.findall(r"data-value='(.*?)'", row)[:2] == ["w8a8", "95.5"]
    assert ">6.2%<" in row


def test_the_table_gives_intervals_of_what_has_them(make_comparison: Any) -> None:
    comparison = make_comparison(("fp32", "w4a4"))
    low, high = Wish(comparison.measures[0], 0.0).interval(comparison.rows[1])
    found = re.findall("<span class='interval'>(.*?)</span>", page(comparison))
    assert len(found) == 2 and found[1] == f"{low:.3f} – {high:.3f}"  # SQNR and keypoint F1; fp32 is a point
