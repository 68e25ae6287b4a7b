"""Plots by layer: names, and many layers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from videoquant.report.layer_plots import NAME_LENGTH, layers_plot, shares_plot, shorten
from videoquant.tasks.sqnr import EXACT_DB


def test_layer_names_lose_their_common_path() -> None:
    assert shorten(["net.block.conv1", "net.block.conv2", "net.blob.conv1"]) == [
        "block.conv1", "block.conv2", "blob.conv1",
    ]  # fmt: skip
    assert shorten(["/model/only"]) == ["/model/only"]
    assert shorten(["conv1", "conv2"]) == ["conv1", "conv2"]
    assert shorten([]) == []
    (long,) = shorten(["a" * 30 + "tail"])
    assert len(long) == NAME_LENGTH and long.startswith("…") and long.endswith("tail")


def test_heat_map_of_exact_and_missing_layers(make_comparison: Any) -> None:
    comparison = make_comparison(("w8a8", "w4a4"))
    comparison.rows[0].layer_sqnr_db = {"a.1": EXACT_DB, "a.2": EXACT_DB}
    comparison.rows[1].layer_sqnr_db = {"a.1": EXACT_DB, "a.3": EXACT_DB}
    ET.fromstring(layers_plot(comparison))


def test_shares_overall_only(make_comparison: Any) -> None:
    comparison = make_comparison(("w8a8->w8a8 T=3 adaptive",))
    comparison.rows[0].layer_shares, comparison.rows[0].shares = {}, {0: 1.0}
    ET.fromstring(shares_plot(comparison))
