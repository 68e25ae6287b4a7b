"""What all charts of the page share: Vega-Lite's bundle, colours of families, and axes of measures.

A chart is a Vega-Lite specification: plain data, which the bundle in the page draws as SVG. Colours of text
and rules are the page's own (style.css), so that charts are dark where the page is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import vl_convert

from videoquant.comparison import Comparison, Row
from videoquant.report.palette import COLORS, FAMILY_NAMES, INK, Family
from videoquant.report.table import against_labels
from videoquant.report.wish import SQNR, Wish
from videoquant.tasks import Measure
from videoquant.tasks.sqnr import EXACT_DB

Spec = dict[str, Any]
FLOOR_DB = -10.0  # lower values are drawn here: the error is ten times the signal, the output is noise
# Of Okabe and Ito's colours, which the colour-blind tell apart; shapes say the same again.
FAMILY_COLORS: dict[Family, str] = {
    "float": INK, "frame": COLORS[0], "residual": COLORS[1], "adaptive": COLORS[2],
}  # fmt: skip
FAMILY_SHAPES: dict[Family, str] = {
    "float": "cross", "frame": "circle", "residual": "triangle-up", "adaptive": "diamond",
}  # fmt: skip
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@cache
def bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, `window.vegaEmbed`; their licence is BSD-3-Clause."""
    owners = "University of Washington Interactive Data Lab"
    notice = f"/*! Vega, Vega-Lite, vega-embed: (c) {owners}; BSD-3-Clause */\n"
    script = notice + vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its types lack the default
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def chart(spec: Spec, description: str, height: int | None = None) -> Spec:
    """A specification as wide as its place in the page. description: for those who do not see it."""
    single = "vconcat" not in spec and "facet" not in spec  # of several panels page.js sets the width
    size: Spec = (
        {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}} if single else {}
    ) | ({} if height is None else {"height": height})
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": description,
        "background": None,
        "config": {
            "font": FONT,
            "view": {"stroke": None},
            "axis": {
                "domain": False, "ticks": False, "labelFontSize": 12, "labelPadding": 6, "titleFontSize": 12,
                "titleFontWeight": 500, "titlePadding": 10, "labelLimit": 190,
            },
            "legend": {"symbolOpacity": 1, "columns": 3, "labelFontSize": 12, "titleFontSize": 12,
                       "symbolSize": 90, "labelLimit": 260},
            "title": {"fontSize": 13, "anchor": "start", "offset": 10},
            "header": {"labelFontSize": 12, "titleFontSize": 12},
        },
        **size,
        **spec,
    }  # fmt: skip


def shown_measures(comparison: Comparison) -> list[Wish]:
    """What charts draw, the most telling first: against labels, against fp32, then the SQNR."""
    found = [Wish(against, 0.0, "accuracy") for against in comparison.accuracy[:1]]
    found += [Wish(measure, 0.0) for measure in comparison.measures]
    return [*(wish for wish in found if any(wish.value(row) is not None for row in comparison.rows)),
            Wish(SQNR, 0.0, "")]  # fmt: skip


def title_of(wish: Wish) -> str:
    """A measure as an axis calls it."""
    measure = against_labels(wish.measure) if wish.place == "accuracy" else wish.measure
    arrow = "↑" if measure.higher_is_better else "↓"
    return " ".join(part for part in (measure.label, measure.unit, arrow) if part)


@dataclass(frozen=True)
class MeasureAxis:
    """Where values of a measure stand: shares near 1 apart, by the logarithm of what is missing.

    Between 0.98 and 0.99 lies as much as between 0.5 and 0.75: twice the loss. Distances stand on a
    logarithmic axis, decibels on a plain one.
    measure: whose values.
    floor: the least loss or distance that is drawn: the axis has no zero.
    """

    measure: Measure
    floor: float

    @classmethod
    def of(cls, measure: Measure, values: Iterable[float | None]) -> MeasureAxis:
        """values: all that will be drawn."""
        losses = [loss for x in values if x is not None and (loss := _loss(measure, x)) > 0]
        return cls(measure, max(1e-4, min(losses, default=0.01) / 1.6))

    def place(self, value: float | None) -> float | None:
        """Where a value stands; None where there is none, or of exact decibels, which stand nowhere."""
        if value is None or not math.isfinite(value):
            return None
        if self.measure.unit == "dB":
            return None if value >= EXACT_DB else max(value, FLOOR_DB)
        return max(_loss(self.measure, value), self.floor)

    def encoding(self, title: str, places: Iterable[float | None]) -> Spec:
        """The y encoding of the field "y". places: all that are drawn."""
        known = [place for place in places if place is not None] or [1.0]
        low, high = min(known), max(known)
        if self.measure.unit == "dB":
            pad = max(0.5, 0.06 * (high - low))
            return {"field": "y", "type": "quantitative", "title": title,
                    "scale": {"domain": [low - pad, high + pad], "nice": False, "zero": False}}  # fmt: skip
        text = "format(1 - datum.value, '.4~f')" if self.measure.unit == "" else "format(datum.value, '~g')"
        scale = {"type": "log", "reverse": True, "domain": [low / 1.15, high * 1.2], "nice": False}
        axis = {"labelExpr": text, "values": _ticks(low / 1.15, high * 1.2)}
        return {"field": "y", "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def family_encodings(present: Iterable[Family]) -> Spec:
    """Colour and shape by family, with one legend. present: those that occur."""
    found = set(present)
    kinds = [kind for kind in FAMILY_NAMES if kind in found]
    names = [FAMILY_NAMES[kind] for kind in kinds]
    legend = {"title": None, "orient": "top"}
    return {
        "color": {
            "field": "family", "type": "nominal", "legend": legend,
            "scale": {"domain": names, "range": [FAMILY_COLORS[kind] for kind in kinds]},
        },
        "shape": {
            "field": "family", "type": "nominal", "legend": legend,
            "scale": {"domain": names, "range": [FAMILY_SHAPES[kind] for kind in kinds]},
        },
    }  # fmt: skip


def name_of(row: Row) -> str:
    """A scheme's name with a real arrow."""
    return row.name.replace("->", "→")


def _loss(measure: Measure, value: float) -> float:
    return 1 - value if measure.unit == "" and measure.higher_is_better else value


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two values; more where these are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)):
        ticks = [round(step * 10.0**power, 10) for power in powers for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            break
    return ticks
