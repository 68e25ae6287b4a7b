"""The plot of an α search, for whole curves and for few points."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import Image

import videoquant as vq
from tests.networks import small_network
from videoquant.calibration.alpha import LADDER, AlphaCurve, AlphaPoint
from videoquant.report.alpha_plot import EDGE, MOST_TICKS, alpha_plot, positions, write_alpha_plot
from videoquant.report.plot_style import style


def curve(alphas: tuple[float, ...], best: float, measures: tuple[str, ...] = ()) -> AlphaCurve:
    points = tuple(AlphaPoint(a, 20 - 5 * abs(a - best), dict.fromkeys(measures, a)) for a in alphas)
    return AlphaCurve(vq.Scheme.parse(f"w8a4 quantile={best}"), best, points, 16)


@pytest.fixture(scope="module")
def network() -> vq.Network:
    return small_network()


@pytest.mark.parametrize(
    ("alphas", "best"),
    [(LADDER, 0.999), ((0.998, 0.999, 0.9995), 0.9995), ((0.99999, 1.0), 1.0), ((1.0,), 1.0)],
)
def test_files_are_what_their_suffix_says(
    alphas: tuple[float, ...], best: float, network: vq.Network, tmp_path: Path
) -> None:
    before = dict(mpl.rcParams)
    for name in ("a.svg", "a.PNG", "b.svg"):
        write_alpha_plot(curve(alphas, best), network, tmp_path / name)
    assert dict(mpl.rcParams) == before
    assert ET.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with Image.open(tmp_path / "a.PNG") as picture:
        assert picture.format == "PNG" and picture.width == 1440
    numbers = (tmp_path / "a.svg.csv").read_text().splitlines()
    assert numbers[0] == "alpha,sqnr_db" and len(numbers) == 1 + len(alphas)
    assert len(list(tmp_path.iterdir())) == 6


def test_best_is_marked_and_alpha_1_stands_at_the_right_edge(network: vq.Network) -> None:
    with style():
        (axes,) = alpha_plot(curve(LADDER, 0.999), network).axes
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["0.9", "0.99", "0.999", "0.9999", "0.99999", "α = 1"]
    assert len(labels) <= MOST_TICKS
    assert axes.get_xticks() == pytest.approx([1, 2, 3, 4, 5, 5 + EDGE])
    *_, mark = axes.get_lines()
    assert mark.get_xydata().tolist() == [[pytest.approx(3), 20]]


def test_few_points_are_labelled_each(network: vq.Network) -> None:
    with style():
        (axes,) = alpha_plot(curve((0.998, 0.9986, 0.999, 0.9995), 0.9986), network).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.998", "0.999", "0.9995"]


def test_the_tasks_measure_has_a_panel_of_its_own() -> None:
    shipped = vq.load("selfie_segmentation")
    with style():
        upper, lower = alpha_plot(curve(LADDER, 0.999, ("mask_iou",)), shipped).axes
    assert upper.get_title(loc="left") == "SQNR of mask in dB ↑"
    assert lower.get_title(loc="left") == "mask IoU ↑"


def test_positions_are_decades() -> None:
    assert positions([0.9, 0.999, 1.0]) == pytest.approx([1, 3, 3 + EDGE])
    assert positions([0.9, 0.99]) == pytest.approx([1, 2])


def test_another_suffix_and_a_missing_folder_are_refused(network: vq.Network, tmp_path: Path) -> None:
    for path in (tmp_path / "a.pdf", tmp_path / "no" / "a.svg"):
        with pytest.raises(vq.OutputError, match=path.name):
            write_alpha_plot(curve(LADDER, 0.999), network, path)
    assert list(tmp_path.iterdir()) == []
