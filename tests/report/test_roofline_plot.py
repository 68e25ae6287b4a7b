"""The roofline is drawn for any chip and scheme, and says what it must."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from tests.costs.chips import ROUND, scheme
from tests.networks import small_network
from videoquant.costs.simulator import frame_cost
from videoquant.costs.workload import workload
from videoquant.report.plot_style import style
from videoquant.report.roofline_plot import roofline_plot, write_roofline_plot


@pytest.fixture(scope="module")
def work():
    return workload(small_network())


@pytest.mark.parametrize("buffer", [1e3, 1e9])
def test_a_mark_per_layer_on_or_below_the_roof(work, buffer):
    chip = replace(ROUND, buffer=buffer)
    cost = frame_cost(chip, work, scheme("w8a8"), True)
    with style():
        (axes,) = roofline_plot("small, w8a8", chip, cost, [(8, 8)], work.names).axes
    marks = np.concatenate([np.asarray(points.get_offsets()) for points in axes.collections])
    assert len(marks) == len(work.names)
    # Work per byte leaves room for rounding: a layer that is bound by memory stands on the slope.
    roof = np.minimum(marks[:, 0] * chip.bandwidth / 1e9, chip.peak[8, 8] / 1e9)
    assert (marks[:, 1] <= roof * (1 + 1e-9)).all()
    assert axes.get_title(loc="left") == "small, w8a8 on round: GMAC/s by layer"
    written = " ".join(text.get_text() for text in axes.texts)
    longest = work.names[int(np.argmax(cost.seconds))]
    assert f"{longest} {cost.seconds.max() / cost.seconds.sum():.0%}" in written


def test_file_is_svg_or_png(work, tmp_path):
    cost = frame_cost(ROUND, work, scheme("w4a4"), True)
    write_roofline_plot("small", ROUND, cost, [(4, 4)], work.names, tmp_path / "r.svg")
    assert ET.parse(tmp_path / "r.svg").getroot().tag.endswith("svg")
    numbers = (tmp_path / "r.svg.csv").read_text().splitlines()
    assert numbers[0] == "layer,macs,bytes,compute,memory,seconds" and len(numbers) == 1 + len(work.names)
    write_roofline_plot("small", ROUND, cost, [(4, 4)], work.names, tmp_path / "r.png")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
