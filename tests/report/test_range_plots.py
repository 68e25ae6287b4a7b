"""The plot of predicted ranges."""

import xml.etree.ElementTree as ET

import pytest

from videoquant.comparison import PredictedRanges
from videoquant.report.html import page
from videoquant.report.range_plots import error_share, ranges_plot


def predicted(layer, residual, predicted, measured, position="relu"):
    return PredictedRanges(layer, residual, position, 2.0, 0.5, predicted, measured)


def test_the_error_share_is_that_of_the_average():
    assert error_share(predicted("a", False, [1.0, 3.0], [1.0, 3.0])) == 0
    assert error_share(predicted("a", False, [2.0, 2.0], [1.0, 3.0])) == 1
    assert error_share(predicted("a", False, [1.5, 3.0], [1.0, 3.0])) == pytest.approx(0.125)
    assert error_share(predicted("a", False, [2.0], [2.0])) == 1  # nothing to gain


def test_a_panel_pair_for_key_and_for_residual_frames(make_comparison):
    comparison = make_comparison(("fp32", "w8a8->w4a4 T=3"))
    assert "Predicted ranges" not in page(comparison)
    comparison.rows[1].scheme = "w8a8->w4a4 T=3 qpp"
    comparison.rows[1].ranges = [
        predicted("one", False, [1.0, 3.0], [1.2, 2.8]),
        predicted("two", False, [1.0, 3.0], [1.2, 2.8], "later"),
        predicted("two", True, [0.0, 0.0], [0.0, 0.0]),
    ]
    drawing = ranges_plot(comparison)
    ET.fromstring(drawing)
    assert drawing.count('id="ranges-axes_') == 4
    html = page(comparison)
    assert "Predicted ranges" in html and "<dt>qpp</dt>" in html
