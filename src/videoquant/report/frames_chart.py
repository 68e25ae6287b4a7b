"""The chart of fidelity frame by frame, and which frames tell schemes apart."""

from __future__ import annotations

from statistics import fmean, pstdev

from videoquant.comparison import Comparison, Row
from videoquant.report.chart_style import (
    FAMILY_COLORS,
    MeasureAxis,
    Spec,
    chart,
    name_of,
    shown_measures,
    title_of,
)
from videoquant.report.palette import family
from videoquant.report.wish import SQNR, Wish
from videoquant.runtime.clock import follows

HEIGHT = 220
MOST_POINTS = 180  # of a line; frames of longer streams are averaged
TOLD = 3  # frames that tell schemes apart


def frames_chart(comparison: Comparison) -> Spec | None:
    """The first measure, a grey line per scheme, the chosen one (the parameter `scheme`) in colour.

    A rule stands at the frame in view (`now`). None of unrelated images, or of floating point alone.
    """
    rows = [row for row in comparison.rows if family(row.scheme) != "float" and row.per_frame]
    if comparison.stills or not rows:
        return None
    wish = _measure(comparison)
    step = -(-len(rows[0].per_frame) // MOST_POINTS)
    axis = MeasureAxis.of(wish.measure, [wish.of_frame(frame) for row in rows for frame in row.per_frame])
    points, run = [], 0
    for row in rows:
        for place in range(0, len(row.per_frame), step):
            frames = row.per_frame[place : place + step]
            before = row.per_frame[place - 1]
            if place and (
                before.get("clip") != frames[0].get("clip")
                or not follows(before["frame"], frames[0]["frame"])
            ):
                run += 1  # no line crosses from one run of frames to the next
            values = [value for frame in frames if (value := wish.of_frame(frame)) is not None]
            if values:
                value = fmean(values)
                points.append({
                    "name": row.name, "scheme": name_of(row), "frame": frames[0]["frame"], "at": place,
                    **({"clip": frames[0]["clip"]} if comparison.clips else {}),
                    "run": run, "y": axis.place(value), "value": wish.measure.format(value),
                    "key": frames[0]["key"],
                })  # fmt: skip
        run += 1
    frame_of = {point["at"]: point["frame"] for point in points}
    title = (
        "scored frames, clip after clip" if comparison.clips else "scored frames, by their place in the clip"
    )
    x = {"field": "at", "type": "quantitative", "title": title,
         "scale": {"nice": False, "zero": False, "domain": [0, max(frame_of)]},
         "axis": {"grid": False, "tickMinStep": 1,
                  "labelExpr": f"{_names(frame_of)}[datum.value] || ''"}}  # fmt: skip
    y = axis.encoding(title_of(wish), [point["y"] for point in points])
    line = {"x": x, "y": y, "detail": {"field": "run"}}
    where = [{"field": "clip"}] if comparison.clips else []
    tooltip = [{"field": "scheme"}, *where, {"field": "frame"}, {"field": "value", "title": wish.label}]
    is_chosen = "datum.name === scheme"
    spec: Spec = {
        "params": [{"name": "scheme", "value": ""}, {"name": "now", "value": -1}],
        "data": {"values": points},
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 1, "opacity": 0.35, "color": "#8a94a0"},
             "encoding": line},
            {"transform": [{"filter": is_chosen}],
             "mark": {"type": "line", "strokeWidth": 2.5, "color": FAMILY_COLORS["frame"]}, "encoding": line},
            {"transform": [{"filter": is_chosen}],
             "mark": {"type": "point", "filled": True, "opacity": 1, "color": FAMILY_COLORS["frame"]},
             "encoding": {"x": x, "y": y,
                          "size": {"condition": {"test": "datum.key", "value": 60}, "value": 16},
                          "tooltip": tooltip, "description": {"field": "value"}}},
            {"transform": [{"filter": "datum.at === now && datum.name === scheme"}],
             "mark": {"type": "rule", "strokeWidth": 2}, "encoding": {"x": x}},
        ],
    }  # fmt: skip
    return chart(spec, f"{wish.label} of each scored frame, for every scheme.", HEIGHT)


def telling(comparison: Comparison) -> list[int]:
    """Which pictures are those on which schemes differ most, far from each other, the first first.

    How much they differ is the standard deviation of the first measure over the schemes.
    """
    wish, count = _measure(comparison), len(comparison.drawn)
    spread = []
    for picture, place in enumerate(comparison.drawn):
        values = [value for row in comparison.rows if (value := _value(wish, row, place)) is not None]
        spread.append((pstdev(values) if len(values) > 1 else 0.0, picture))
    apart = max(1, count // (2 * TOLD))
    chosen: list[int] = []
    for _, picture in sorted(spread, key=lambda pair: (-pair[0], pair[1])):
        if all(abs(picture - other) >= apart for other in chosen):
            chosen.append(picture)
    return sorted(chosen[:TOLD])


def frame_name(comparison: Comparison, place: int) -> str:
    """What the frame at a place in `Row.per_frame` is called: by its clip too, where there are several."""
    entry = comparison.rows[0].per_frame[place]
    clip = f"{entry['clip']}, " if comparison.clips else ""
    return f"{clip}frame {entry['frame']}"


def facts_of(comparison: Comparison, row: Row, place: int) -> str:
    """What a frame's picture is worth, in words: its first measure and its SQNR."""
    wishes = dict.fromkeys((_measure(comparison), Wish(SQNR, 0.0, "")))
    found = [(wish, _value(wish, row, place)) for wish in wishes]
    return ", ".join(_text(wish, value) for wish, value in found if value is not None)


def worst_on(comparison: Comparison, place: int) -> Row:
    """The scheme that is furthest from fp32 on a frame."""
    wish = _measure(comparison)
    sign = 1 if wish.measure.higher_is_better else -1
    found = [
        (sign * value, row) for row in comparison.rows if (value := _value(wish, row, place)) is not None
    ]
    return min(found, key=lambda pair: pair[0])[1] if found else comparison.rows[0]


def range_on(comparison: Comparison, place: int) -> str:
    """From which value to which the schemes' first measure goes on a frame."""
    wish = _measure(comparison)
    values = [
        value
        for row in comparison.rows
        if family(row.scheme) != "float" and (value := _value(wish, row, place)) is not None
    ]
    digits = wish.measure.digits
    return f"{wish.label} {min(values):.{digits}f} to {max(values):.{digits}f}" if values else ""


def _measure(comparison: Comparison) -> Wish:
    """The first measure against fp32, else the SQNR: every frame has one."""
    return next(wish for wish in shown_measures(comparison) if wish.place != "accuracy")


def _value(wish: Wish, row: Row, place: int) -> float | None:
    return wish.of_frame(row.per_frame[place])


def _text(wish: Wish, value: float) -> str:
    return f"{wish.label} {wish.measure.format(value)}" if wish.place or value < 200 else "exact"


def _names(frame_of: dict[int, int]) -> str:
    return "{" + ",".join(f"{at}:'{frame}'" for at, frame in frame_of.items()) + "}"
