"""The plots are well-formed SVG whatever the data; what decides their layout is tested by itself."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import matplotlib as mpl
import pytest

from videoquant.comparison import Comparison
from videoquant.report.layer_plots import layers_plot, shares_plot
from videoquant.report.plots import MOST_POINTS, fidelity_plot, frames_per_point, frames_plot, runs
from videoquant.tasks.sqnr import EXACT_DB

PLOTS = (fidelity_plot, frames_plot, layers_plot, shares_plot)


@pytest.mark.parametrize("plot", PLOTS)
def test_svg_is_well_formed_and_scales(plot: Any, comparison: Comparison) -> None:
    before = dict(mpl.rcParams)
    root = ET.fromstring(plot(comparison))
    assert root.tag.endswith("svg")
    assert "viewBox" in root.attrib and "width" not in root.attrib and "height" not in root.attrib
    assert dict(mpl.rcParams) == before


def test_no_id_occurs_twice_in_a_page(comparison: Comparison) -> None:
    page = "".join(plot(comparison) for plot in PLOTS)
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(ids)


def test_same_data_gives_the_same_plot(make_comparison: Any) -> None:
    few = ("fp32", "w8a8", "w8a8->w4a4 T=3")
    assert fidelity_plot(make_comparison(few)) == fidelity_plot(make_comparison(few))


@pytest.mark.parametrize("schemes", [("fp32",), ("w8a8",), ("fp32", "w8a8", "w4a4")])
def test_fidelity_of_few_schemes_and_odd_values(schemes: tuple[str, ...], make_comparison: Any) -> None:
    for db in (EXACT_DB, -EXACT_DB, 0.0):
        comparison = make_comparison(schemes, primary="a $name_{")
        for row in comparison.rows:
            row.sqnr_db, row.agreement = db, {}
        ET.fromstring(fidelity_plot(comparison))


def test_frames_of_a_long_stream_and_of_single_frames(make_comparison: Any) -> None:
    comparison = make_comparison(("w8a8->w4a4 T=3",))
    frames = comparison.rows[0].per_frame
    comparison.rows[0].per_frame = [frames[i % 60] | {"frame": i} for i in range(500)]
    long = frames_plot(comparison)
    comparison.rows[0].per_frame = [frame | {"frame": 10 * i} for i, frame in enumerate(frames)]
    ET.fromstring(frames_plot(comparison))
    assert len(long) < 60_000


def test_runs_break_where_the_index_jumps() -> None:
    assert runs([7, 8, 20, 21, 22, 5]) == [[0, 1], [2, 3, 4], [5]]
    assert runs([]) == []


def test_points_of_long_streams_are_means() -> None:
    assert [frames_per_point(n) for n in (1, MOST_POINTS, MOST_POINTS + 1)] == [1, 1, 2]
