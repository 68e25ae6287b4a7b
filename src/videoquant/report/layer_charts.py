"""Charts by layer: where a scheme's error arises, what its quantizers do there; bits; predicted ranges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from videoquant.comparison import Comparison, PredictedRanges, Row
from videoquant.report.chart_style import FAMILY_COLORS, FLOOR_DB, Spec, chart, name_of
from videoquant.report.palette import family
from videoquant.report.table import sqnr_text
from videoquant.tasks.sqnr import EXACT_DB

_ROW = 20  # pixels of a scheme's row in the heat map
_PANEL = 96  # pixels of a panel of one scheme
_SHADES = ("#9aa5b1", "#9ecae1", "#0072b2")  # of skipped locations, few bits, many


def error_map(comparison: Comparison) -> Spec | None:
    """A heat map of SQNR: a row per quantized scheme, a column per layer in the network's order."""
    rows = [row for row in comparison.rows if family(row.scheme) != "float" and row.layer_sqnr_db]
    if not rows:
        return None
    layers = _layers(rows)
    cells = [
        {"scheme": name_of(row), "name": row.name, "layer": layer, "at": at,
         "db": min(40.0, max(FLOOR_DB, db)), "text": f"{sqnr_text(db)} dB"}
        for row in rows for at, layer in enumerate(layers)
        if (db := row.layer_sqnr_db.get(layer)) is not None
    ]  # fmt: skip
    spec: Spec = {
        "data": {"values": cells},
        "mark": {"type": "rect", "cursor": "pointer"},
        "encoding": {
            "x": {"field": "at", "type": "ordinal", "title": "layer, in the network’s order",
                   "axis": _numbers(layers)},
            "y": {"field": "scheme", "type": "nominal", "sort": None, "title": None},
            "color": {"field": "db", "type": "quantitative", "title": "SQNR dB",
                      "scale": {"scheme": "viridis"}, "legend": {"orient": "top"}},
            "tooltip": [{"field": "scheme"}, {"field": "layer"}, {"field": "text", "title": "SQNR"}],
        },
    }  # fmt: skip
    return chart(spec, "SQNR of every layer's output, for every scheme.", _ROW * len(rows))


def layer_panels(comparison: Comparison) -> Spec | None:
    """Of one scheme (the parameter `scheme`) panels over the layers: error, and what inputs are like."""
    rows = [row for row in comparison.rows if family(row.scheme) != "float" and row.layer_sqnr_db]
    if not rows:
        return None
    layers = _layers(rows)
    facts = [_facts(row, layer, at) for row in rows for at, layer in enumerate(layers)]
    panels = (
        ("noise", "error, % of the signal’s power ↓", "noise_text"),
        ("clipped", "input values clipped, % ↓", "range"),
        ("zero", "residuals at zero, % ↑", "zero_text"),
        ("density", "kept sparse, % of the input", "density_text"),
    )
    shown = [panel for panel in panels if any(fact.get(panel[0]) is not None for fact in facts)]
    tooltip = [
        {"field": "layer"}, {"field": "noise_text", "title": "SQNR"}, {"field": "range"},
        {"field": "clipped_text", "title": "clipped"}, {"field": "zero_text", "title": "residuals at zero"},
        {"field": "density_text", "title": "kept sparse"},
    ]  # fmt: skip
    spec: Spec = {
        "params": [{"name": "scheme", "value": ""}],
        "data": {"values": facts},
        "transform": [{"filter": "datum.name === scheme"}],
        "spacing": 14,
        "vconcat": [
            {
                "height": _PANEL,
                "title": title,
                "mark": {"type": "bar", "color": FAMILY_COLORS["frame"], "minBandSize": 1},
                "encoding": {
                    "x": {"field": "at", "type": "ordinal", "scale": {"domain": list(range(len(layers)))},
                          "title": "layer, in the network’s order" if field == shown[-1][0] else None,
                           "axis": _numbers(layers)},
                    "y": {"field": field, "type": "quantitative", "title": None, "stack": None,
                          "axis": {"tickCount": 4}} | _scale(field, facts),
                    "tooltip": tooltip,
                },
            }
            for field, title, _ in shown
        ],
    }  # fmt: skip
    return chart(spec, "What one scheme does layer by layer.")


def bits_chart(comparison: Comparison) -> Spec | None:
    """Stacked bars of the multiply–accumulates at each bit-width, a bar per adaptive scheme."""
    rows = [row for row in comparison.rows if row.shares]
    if not rows:
        return None
    widths = sorted({width for row in rows for width in row.shares})
    called = {width: f"{width} bits" if width else "0 bits (skipped)" for width in widths}
    parts = [
        {"scheme": name_of(row), "bits": called[width], "share": share, "order": width}
        for row in rows for width, share in row.shares.items()
    ]  # fmt: skip
    spec: Spec = {
        "data": {"values": parts},
        "mark": "bar",
        "encoding": {
            "x": {"field": "share", "type": "quantitative", "stack": "zero",
                  "title": "share of multiply–accumulates", "axis": {"format": "%"},
                  "scale": {"domain": [0, 1]}},
            "y": {"field": "scheme", "type": "nominal", "sort": None, "title": None},
            "color": {"field": "bits", "type": "nominal", "title": None, "legend": {"orient": "top"},
                      "scale": {"domain": [called[width] for width in widths], "range": _shades(widths)}},
            "order": {"field": "order"},
            "tooltip": [{"field": "scheme"}, {"field": "bits"},
                        {"field": "share", "type": "quantitative", "format": ".1%"}],
        },
    }  # fmt: skip
    return chart(spec, "Bit-widths that adaptive schemes use on residual frames.", 26 * len(rows))


def ranges_chart(comparison: Comparison) -> Spec | None:
    """The squared error of predicted ranges as a share of the static average's, by quantizer and scheme."""
    bars = [
        {"scheme": name_of(row) + (", residual frames" if ranges.residual else ""), "at": at,
         "layer": ranges.layer, "reads": ranges.position, "share": min(max(error_share(ranges), 1e-3), 10.0),
         "text": f"{error_share(ranges):.1%}"}
        for row in comparison.rows for residual in (False, True)
        for at, ranges in enumerate([r for r in row.ranges if r.residual is residual])
    ]  # fmt: skip
    if not bars:
        return None
    spec: Spec = {
        "data": {"values": bars},
        "facet": {"row": {"field": "scheme", "title": None,
                          "header": {"orient": "top", "labelAnchor": "start"}}},
        "spec": {
            "width": 640, "height": 130,
            "layer": [
                {"mark": {"type": "bar", "color": FAMILY_COLORS["frame"], "minBandSize": 1},
                 "encoding": {
                     "x": {"field": "at", "type": "ordinal", "axis": None},
                     "y": {"field": "share", "type": "quantitative", "title": "of the static average’s",
                           "scale": {"type": "log", "domain": [1e-3, 10]},
                           "axis": {"values": [1e-3, 1e-2, 0.1, 1, 10], "format": "~%"}},
                     "y2": {"datum": 1},
                     "tooltip": [{"field": "layer"}, {"field": "reads"},
                                 {"field": "text", "title": "error"}]}},
                {"mark": {"type": "rule", "aria": False}, "encoding": {"y": {"datum": 1}}},
            ],
        },
    }  # fmt: skip
    return chart(spec, "Squared error of predicted ranges, of that of static ones, by quantizer.")


def error_share(ranges: PredictedRanges) -> float:
    """The squared error of the predictions over that of the static average, on the scored frames."""
    predicted, measured = np.array(ranges.predicted), np.array(ranges.measured)
    average = float(((measured - ranges.average) ** 2).sum())
    return float(((measured - predicted) ** 2).sum()) / average if average else 1.0


def steepest(row: Row) -> str | None:
    """The layer at whose output the error grows most since the layer before; None of fewer than two."""
    noise = {layer: _noise(db) for layer, db in row.layer_sqnr_db.items()}
    steps = [(noise[b] - noise[a], b) for a, b in pairwise(noise)]
    return max(steps)[1] if steps else None


def _facts(row: Row, layer: str, at: int) -> Spec:
    db, held = row.layer_sqnr_db.get(layer, EXACT_DB), row.layer_inputs.get(layer)
    density = row.layer_density.get(layer)
    facts: Spec = {"name": row.name, "layer": layer, "at": at, "noise": 100 * _noise(db),
                   "noise_text": f"{sqnr_text(db)} dB"}  # fmt: skip
    if held is not None and held.high > held.low:
        facts |= {"range": f"{held.low:.3g} to {held.high:.3g}", "clipped": 100 * held.clipped,
                  "clipped_text": f"{held.clipped:.2%}"}  # fmt: skip
    if held is not None and held.zero is not None:
        facts |= {"zero": 100 * held.zero, "zero_text": f"{held.zero:.1%}"}
    if density is not None:
        facts |= {"density": 100 * density, "density_text": f"{density:.2%}"}
    return facts


def _scale(field: str, facts: Sequence[Spec]) -> Spec:
    """One scale for all schemes, so that they can be told apart; of errors each has its own."""
    known = [fact[field] for fact in facts if fact.get(field) is not None]
    return {} if field == "noise" else {"scale": {"domain": [0, max(known) or 1]}}


def _noise(db: float) -> float:
    """The error's power over the signal's, at most 1000%."""
    return 0.0 if db >= EXACT_DB else float(10 ** (-max(db, FLOOR_DB) / 10))


def _layers(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.layer_sqnr_db))


def _numbers(layers: Sequence[str]) -> Spec:
    """The axis of layers: from 1, every one of few, else every fifth or tenth."""
    every = 1 if len(layers) <= 12 else 5 * math.ceil(len(layers) / 60)
    values = range(len(layers)) if every == 1 else [0, *range(every - 1, len(layers), every)]
    return {"values": list(values), "labelExpr": "datum.value + 1", "labelAngle": 0, "labelOverlap": "greedy"}


def _shades(widths: Sequence[int]) -> list[str]:
    some = [width for width in widths if width]
    return [
        _SHADES[0] if not width else _SHADES[1 if len(some) > 1 and width == some[0] else 2]
        for width in widths
    ]
