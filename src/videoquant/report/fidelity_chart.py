"""The chart of fidelity against cost: a point per scheme with its interval, the front, fp32 as a line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from videoquant.comparison import Comparison, Row
from videoquant.report.answer import Answer
from videoquant.report.chart_style import (
    MeasureAxis,
    Spec,
    chart,
    family_encodings,
    name_of,
    shown_measures,
    title_of,
)
from videoquant.report.labels import Box, place
from videoquant.report.palette import FAMILY_NAMES, family
from videoquant.report.pareto import front
from videoquant.report.targets import COSTS, known_costs
from videoquant.report.wish import Wish

HEIGHT = 360
_INNER = 860.0  # pixels of the axes on a wide page, for which names are placed
_LETTER, _LINE = 7.2, 14.0  # pixels of a name's letter and line


# By key ("ms|mask_iou") the cost's name, the measure's name and the chart.
Charts = dict[str, tuple[str, str, Spec]]


def fidelity_charts(comparison: Comparison, found: Answer) -> Charts:
    """Those of all costs and measures that are known."""
    charts: Charts = {}
    for cost in COSTS:
        costs = known_costs(comparison, cost)
        if costs is None:
            continue
        unit, value = costs
        for wish in shown_measures(comparison):
            spec = _chart(comparison, found, wish, unit, value)
            if spec:
                charts[f"{cost}|{wish.place}{wish.measure.name}"] = (unit, wish.label, spec)
    return charts


def default_chart(charts: Charts, found: Answer) -> str:
    """The key of what is shown first: the answer's cost and measure."""
    asked = f"{found.cost}|{found.wish.place}{found.wish.measure.name}" if found.wish else ""
    return asked if asked in charts else next(iter(charts), "")


def _chart(
    comparison: Comparison, found: Answer, wish: Wish, unit: str, cost: Callable[[Row], float | None]
) -> Spec | None:
    rows = [
        row
        for row in comparison.rows
        if family(row.scheme) != "float" and (cost(row) or 0) > 0 and wish.value(row) is not None
    ]
    if not rows:
        return None
    intervals = [wish.interval(row, comparison.stills) for row in rows]
    values = [wish.value(row) for row in rows]
    asked = found.wish if found.wish and _same(found.wish, wish) else None
    ends = [end for between in intervals if between for end in between]
    axis = MeasureAxis.of(wish.measure, [*values, *ends, asked.bound if asked else None])
    sign = 1 if wish.measure.higher_is_better else -1
    fronts = front([(cost(row) or 0.0, sign * (wish.value(row) or 0.0)) for row in rows])
    points: list[Spec] = []
    for row, between, on_front in zip(rows, intervals, fronts, strict=True):
        value = wish.value(row)
        assert value is not None
        text = wish.measure.format(value)
        if between:
            text += f" ({between[0]:.{wish.measure.digits}f} to {between[1]:.{wish.measure.digits}f})"
        points.append({
            "scheme": name_of(row), "name": row.name, "kind": family(row.scheme),
            "family": FAMILY_NAMES[family(row.scheme)],
            "x": cost(row), "y": axis.place(value), "value": text, "cost": f"{cost(row):.4g} {unit}",
            "low": between and axis.place(between[0]), "high": between and axis.place(between[1]),
            "front": on_front, "chosen": row is found.row,
            "role": "the answer" if row is found.row else "Pareto front" if on_front else "",
        })  # fmt: skip
    points = [point for point in points if point["y"] is not None]
    if not points:
        return None
    lines = _lines(comparison, asked, wish, axis)
    places = [value for point in points for value in (point["y"], point["low"], point["high"])]
    y = axis.encoding(title_of(wish), [*places, *(line["y"] for line in lines)])
    _label(points, y)
    x = {"field": "x", "type": "quantitative", "title": f"{unit} (log scale) ↓",
         "scale": {"type": "log", "nice": False, "domain": _domain([point["x"] for point in points])},
         "axis": {"labelExpr": "format(datum.value, '~g')", "grid": False, "tickCount": 8}}  # fmt: skip
    return chart(_layers(points, lines, x, y), _description(comparison, found, wish, unit), HEIGHT)


def _layers(points: list[Spec], lines: list[Spec], x: Spec, y: Spec) -> Spec:
    told = {"scheme": "scheme", "value": y["title"][:-2], "cost": "cost", "family": "kind", "role": " "}
    tooltip = [{"field": field, "title": title} for field, title in told.items()]
    families = family_encodings(point["kind"] for point in points)
    return {
        "layer": [
            {"data": {"values": lines}, "mark": {"type": "rule", "strokeDash": [5, 4]},
             "encoding": {"y": y}},
            {"data": {"values": lines}, 
             "mark": {"type": "text", "align": "right", "dx": -4, "dy": {"expr": "datum.below ? 11 : -8"}},
             "encoding": {"y": y, "x": {"value": "width"}, "text": {"field": "text"}}},
            {"data": {"values": points}, "transform": [{"filter": "datum.front"}],
             "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "opacity": 0.45},
             "encoding": {"x": x, "y": y, "order": {"field": "x"}}},
            {"data": {"values": points}, "transform": [{"filter": "datum.low !== null"}],
             "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.55},
             "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"},
                          "color": families["color"]}},
            {"data": {"values": points},
             "params": [{"name": "zoom", "bind": "scales",
                         "select": {"type": "interval", "zoom": "wheel![event.ctrlKey]"}}],
             "mark": {"type": "point", "filled": True, "opacity": 1, "cursor": "pointer"},
             "encoding": {"x": x, "y": y, **families, "tooltip": tooltip,
                          "size": {"condition": {"test": "datum.chosen", "value": 260}, "value": 90},
                          "description": {"field": "scheme"}}},
            {"data": {"values": points}, "transform": [{"filter": "datum.label"}],
             "mark": {"type": "text", "align": {"expr": "datum.align"}, "baseline": "middle", "fontSize": 12,
                      "dx": {"expr": "datum.dx"}, "dy": {"expr": "datum.dy"}},
             "encoding": {"x": x, "y": y, "text": {"field": "scheme"},
                          "opacity": {"value": {"expr": "width > 560 || datum.chosen ? 1 : 0"}}}},
        ],
    }  # fmt: skip


def _lines(comparison: Comparison, asked: Wish | None, wish: Wish, axis: MeasureAxis) -> list[Spec]:
    """fp32, where it has a value, and what is asked of this measure."""
    lines = []
    for row in comparison.rows:
        place = axis.place(wish.value(row))
        if family(row.scheme) == "float" and place is not None:
            lines.append(
                {"y": place, "below": True, "text": f"fp32: {wish.measure.format(wish.value(row) or 0.0)}"}
            )
    if asked:
        lines.append({"y": axis.place(asked.bound), "text": f"wished: {asked}"})
    return lines


def _same(one: Wish, other: Wish) -> bool:
    return (one.measure.name, one.place) == (other.measure.name, other.place)


def _label(points: list[Spec], y: Spec) -> None:
    """Say where names of the front and the answer stand: `align`, and `dx`, `dy` in pixels from points."""
    named = [point for point in points if point["front"] or point["chosen"]]
    if not named:
        return
    left, right = (math.log(value) for value in _domain([point["x"] for point in points]))
    low, high = y["scale"]["domain"]
    if y["scale"].get("type") == "log":
        low, high = math.log(low), math.log(high)

    def at(point: Spec) -> tuple[float, float]:
        across = (math.log(point["x"]) - left) / (right - left)
        up = ((math.log(point["y"]) if y["scale"].get("type") == "log" else point["y"]) - low) / (high - low)
        return across * _INNER, HEIGHT * (1 - up if y["scale"].get("reverse") else up)

    others = [at(point) for point in points if point not in named]
    best = sorted(at(point) for point in points if point["front"])
    corners = [corner for (_, y), b in pairwise(best) for corner in ((b[0], y), b)]
    stairs = pairwise([*best[:1], *corners])
    taken = [Box(a - 6, b - 6, a + 6, b + 6) for a, b in others]
    taken += [Box(min(a, c) - 1, min(b, d) - 1, max(a, c) + 1, max(b, d) + 1) for (a, b), (c, d) in stairs]
    sizes = [(_LETTER * len(point["scheme"]), _LINE) for point in named]
    spots = place([at(point) for point in named], sizes, Box(0, 0, _INNER, HEIGHT), taken)
    for point, spot in zip(named, spots, strict=True):
        across, up = at(point)
        point["label"] = True
        # By its near edge, so that it does not matter how wide the reader's font is.
        box = spot.box
        near = ("right", box.right) if box.right <= across else ("left", box.left)
        point["align"], edge = near if not box.left < across < box.right else ("center", across)
        point["dx"] = round(edge - across)
        point["dy"] = round(up - (spot.box.bottom + spot.box.top) / 2)


def _domain(costs: Sequence[float]) -> list[float]:
    return [min(costs) / 1.12, max(costs) * 1.12]


def _description(comparison: Comparison, found: Answer, wish: Wish, unit: str) -> str:
    text = f"{wish.label} of {len(comparison.rows)} schemes against {unit}."
    return f"{text} The answer is {found.row.name}." if found.row else text
