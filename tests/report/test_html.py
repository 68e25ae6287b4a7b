"""The page: complete, self-contained, escaped, and silent about what it has nothing to say on."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from videoquant.errors import OutputError
from videoquant.report.html import page, write_report

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
        "Frame by frame",
        "Sample frames",
        "Error by layer",
        "Bits that adaptive schemes use",
        "How it was measured",
    ]
    assert "<title>posenet on one-by-one-person-detection.mp4 · videoquant</title>" in full
    assert "not against ground truth" in full
    assert "15 frames of the same source, none of them scored" in full
    assert "stopped early" not in full


def test_nothing_is_loaded_from_elsewhere(full: str) -> None:
    links = Outline(full).links
    assert links and all(re.match("data:image/(jpeg|png);base64,|#", link) for link in links if link)
    assert not re.search(r"@import|url\((?!#)", full)


def test_pictures_start_with_fp32_and_carry_their_frame_s_fidelity(full: str) -> None:
    strips = re.findall(r"<h3>(Frame \d+)</h3>\n<div class='strip'>(.*?)\n</div>", full, flags=re.DOTALL)
    assert [heading for heading, _ in strips] == ["Frame 23", "Frame 191", "Frame 359"]
    for _, strip in strips:
        captions = re.findall(r"<figcaption><code>(.*?)</code> <span>(.*?)</span>", strip)
        assert len(captions) == 11
        assert captions[0] == ("fp32", "exact · keypoint F1 1.000")
        assert re.fullmatch(r"\d+\.\d dB · keypoint F1 [01]\.\d{3}", captions[1][1])


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
    assert text.count("<script>") == 1


def test_bare_run_leaves_sections_out(make_comparison: Any) -> None:
    comparison = make_comparison(
        ("w8a8", "w4a4"), measures=(), task=None, picture_frames=[], calibration="", stills=True
    )
    for row in comparison.rows:
        row.agreement, row.layer_sqnr_db, row.pictures = {}, {}, []
    text = page(comparison)
    assert Outline(text).headings == ["Results", "Fidelity against cost", "How it was measured"]
    assert "<dialog>" not in text and "Calibrated on" not in text and "of fp32</th>" not in text
    for term in ("adaptive", "<dt>T</dt>", "F1"):
        assert term not in text


def test_incomplete_run_says_so_first(make_comparison: Any) -> None:
    text = page(make_comparison(("fp32",), complete=False, frames=1))
    notice = text.index("The run was stopped early: these results hold only the first 1 frame.")
    assert notice < text.index("class='summary'")


def test_stopped_before_a_picture_shows_those_there_are(make_comparison: Any) -> None:
    comparison = make_comparison(("fp32", "w8a8"), picture_frames=[23])
    text = page(comparison)
    assert text.count("<h3>Frame ") == 1 and text.count("data:image/jpeg") == 2


def test_table_gives_sortable_values(full: str) -> None:
    row = next(line for line in full.splitlines() if "<code>w8a8</code>" in line and line.startswith("<tr"))
    assert re.findall(r"data-value='(.*?)'", row)[:2] == ["w8a8", "95.5"]
    assert ">6.2%<" in row
