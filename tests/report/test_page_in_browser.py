"""The page in a real browser: offline, without an error; the answer, tooltips, scrubber, zoom, keyboard, axe.

It takes Playwright's Python package and a Chromium of the system; without either it is skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from videoquant.comparison import PredictedRanges
from videoquant.comparison.layer_inputs import LayerInput
from videoquant.report.answer import Question, answer
from videoquant.report.html import page
from videoquant.report.wish import read_wish

api = pytest.importorskip("playwright.sync_api", reason="Playwright's Python package is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
ANSWER = "w8a8->w4a8 T=3 adaptive"
SCHEMES = ("fp32", "w8a8", "w4a4", "w8a8->w4a4 T=3", "w8a8->w4a8 T=3 adaptive")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(make_comparison: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    comparison = make_comparison(SCHEMES)  # with something in every section
    row = comparison.rows[3]
    row.ranges = [
        PredictedRanges("a", residual, "relu", 2.0, 0.9, [1.5], [1.0]) for residual in (False, True)
    ]
    row.layer_inputs = {layer: LayerInput(-1.0, 3.0, 0.02, 0.75) for layer in row.layer_sqnr_db}
    row.density = {"requested": 0.01, "mean": 0.012, "p10": 0.01, "p90": 0.02}
    row.layer_density = dict.fromkeys(row.layer_sqnr_db, 0.012)
    wish = read_wish("keypoint F1 >= 0.95", comparison.measures, ())
    path: Path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(comparison, found=answer(comparison, Question(wish=wish))), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Any, file: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page without a network; at the end nothing stands in the console, and nothing was asked for."""
    options = {"offline": True, "viewport": {"width": 1440, "height": 900}} | getattr(request, "param", {})
    context = browser.new_context(**options)
    tab, said, asked = context.new_page(), [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(file.as_uri())
    tab.wait_for_function(
        "document.querySelectorAll('.chart svg').length === document.querySelectorAll('.chart').length"
    )
    yield tab
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()


def test_the_answer_is_read_first(opened: Any) -> None:
    assert opened.locator(".answer").inner_text().startswith(f"Take {ANSWER}: keypoint F1")
    assert opened.locator("tr.chosen .badge").inner_text() == "the answer"
    assert opened.locator("#scheme").input_value() == ANSWER


def test_a_point_has_a_tooltip_and_a_click_chooses_it(opened: Any) -> None:
    point = opened.locator("[data-chart=fidelity] .mark-symbol.role-mark path[aria-label='w4a4']")
    point.scroll_into_view_if_needed()
    point.hover()
    tooltip = opened.locator("#vg-tooltip-element")
    tooltip.wait_for(state="visible")
    assert "w4a4" in tooltip.inner_text() and "GBOPs per frame" in tooltip.inner_text()
    point.click()
    assert opened.locator("#scheme").input_value() == "w4a4"
    assert opened.locator("tr.looked").get_attribute("data-scheme") == "w4a4"
    assert "w4a4" in opened.locator(".by-scheme:visible").inner_text()


def axis(opened: Any) -> list[str]:
    texts = opened.locator("[data-chart=fidelity] .role-axis-label text").all_text_contents()
    assert texts
    return list(texts)


def until(opened: Any, is_so: Callable[[], bool]) -> None:
    for _ in range(100):
        if is_so():
            return
        opened.wait_for_timeout(50)
    raise AssertionError("waited for five seconds")


def test_measures_switch_and_zoom_goes_back(opened: Any) -> None:
    before = axis(opened)
    opened.get_by_label("zoom in").click()
    until(opened, lambda: axis(opened) != before)
    opened.get_by_role("button", name="reset").click()
    until(opened, lambda: axis(opened) == before)
    opened.locator("#measure").select_option("sqnr_db")
    opened.locator("[data-chart=fidelity] .role-axis-title text", has_text="SQNR dB").wait_for()


def test_the_scrubber_shows_another_frame_and_the_divider_moves(opened: Any) -> None:
    opened.wait_for_function("left.player.readyState >= 2 && right.player.readyState >= 2")
    assert "frame 23: " in opened.locator("#facts").inner_text()
    scrubber = opened.locator("#scrubber")
    before = opened.evaluate("right.player.currentTime")
    scrubber.focus()
    scrubber.press("ArrowRight")
    assert "frame 191: " in opened.locator("#facts").inner_text()
    assert "frame 191: " in (scrubber.get_attribute("aria-valuetext") or "")
    opened.wait_for_function(
        "before => !right.player.seeking && right.player.currentTime > before", arg=before
    )
    # The picture of the last of five schemes, of the second frame: (5 + 4 + ½) / 25 s; fp32 on the left.
    assert opened.evaluate("right.player.currentTime") == pytest.approx(9.5 / 25)
    opened.wait_for_function("!left.player.seeking")
    assert opened.evaluate("left.player.currentTime") == pytest.approx(5.5 / 25)
    # The disc stands where it stands in that frame: what is drawn is the film's picture.
    middle = "[...left.getContext('2d').getImageData(left.width / 2, left.height / 2, 1, 1).data]"
    opened.wait_for_function(f"{middle}.some((value, i) => i < 3 && value > 0)")
    opened.locator("#divider").fill("80")
    assert opened.evaluate("getComputedStyle(right).clipPath") == "inset(0px 0px 0px 80%)"


def test_a_frame_that_tells_schemes_apart_is_a_click_away(opened: Any) -> None:
    thumb = opened.locator(".thumb").last
    frame, scheme = thumb.get_attribute("data-frame"), thumb.get_attribute("data-scheme")
    thumb.click()
    assert opened.locator("#scrubber").input_value() == frame
    assert opened.locator("#scheme").input_value() == scheme


def test_the_table_sorts_by_keyboard(opened: Any) -> None:
    button = opened.locator("th button", has_text="GBOPs")
    button.focus()
    button.press("Enter")
    values = opened.locator("tbody tr td:nth-child(2)").all_inner_texts()[: len(SCHEMES)]
    assert [float(value) for value in values] == sorted(float(value) for value in values)


def test_the_command_is_copied_or_selected(opened: Any) -> None:
    opened.locator("[data-copy=made-by]").click()
    opened.wait_for_function("document.querySelector('[data-copy=made-by]').textContent !== 'copy'")


@pytest.mark.parametrize("opened", [{"viewport": {"width": 390, "height": 800}}], indirect=True)
def test_a_phone_scrolls_down_only(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    assert opened.locator(".screen").bounding_box()["width"] <= 390


@pytest.mark.parametrize("opened", [{"color_scheme": "dark"}], indirect=True)
def test_charts_are_dark_on_a_dark_page(opened: Any) -> None:
    text = opened.locator("[data-chart=fidelity] .role-axis-label text").first
    assert text.evaluate("node => getComputedStyle(node).fill") == "rgb(154, 166, 179)"
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"


def test_it_prints(opened: Any) -> None:
    opened.emulate_media(media="print", color_scheme="dark")
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not opened.locator(".choose").is_visible() and opened.locator("table").first.is_visible()
    assert opened.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("opened", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_axe_finds_nothing_serious(opened: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    found = axe.Axe().run(opened).response["violations"]
    assert [(rule["id"], rule["impact"], rule["nodes"][0]["html"][:120]) for rule in found] == []


def test_first_paint_comes_within_a_second(opened: Any) -> None:
    painted = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    assert opened.wait_for_function(painted).json_value() < 1000
