"""A comparison in a few plain sentences. Each is a statement about the rows, so it holds for any data."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from videoquant.comparison import Comparison, Row
from videoquant.report.looks import family
from videoquant.report.table import against_labels, cost_digits, sqnr_text
from videoquant.tasks import Measure
from videoquant.tasks.sqnr import EXACT_DB

CLOSE_DB = 3.0  # an error of twice the power
# How much worse than the best still counts as near it, by the measure's unit.
CLOSE = {"": 0.02, "%": 1.0, "dB": 3.0}
PLAIN = "w8a8"  # what most tools give: the second yardstick beside fp32


def summary(comparison: Comparison) -> list[str]:
    """Sentences for the top of a report: the best quantized scheme, and the cheapest that comes near it.

    Once by SQNR, once by the task's first measure, and once by the first against labels. Scheme names
    stand between backquotes.
    """
    rows = [row for row in comparison.rows if family(row.scheme) != "float"]
    if not rows:
        return ["No quantized scheme was compared; there is only the floating-point network itself."]
    digits = cost_digits([row.gbops_per_frame for row in comparison.rows])
    sentences = _by_sqnr(comparison, rows, digits)
    if comparison.measures:
        first = comparison.measures[0]
        sentences += _by_measure(first, [row.agreement.get(first.name) for row in rows], rows, digits)
    if comparison.accuracy:
        first = comparison.accuracy[0]
        accuracies = [row.accuracy.get(first.name) for row in rows]
        sentences += _by_measure(against_labels(first), accuracies, rows, digits)
    return sentences


def _by_sqnr(comparison: Comparison, rows: Sequence[Row], digits: int) -> list[str]:
    best = min(rows, key=lambda row: (-row.sqnr_db, row.gbops_per_frame))
    fidelity = "exactly fp32’s output" if best.sqnr_db >= EXACT_DB else f"{sqnr_text(best.sqnr_db)} dB SQNR"
    cost = f"{best.gbops_per_frame:.{digits}f} GBOPs per frame"
    if len(rows) == 1:
        return [f"`{best.name}` gives {fidelity} at {cost}{_against(comparison, best)}."]
    lead = f"Of {len(rows)} quantized schemes `{best.name}` stays closest to fp32: {fidelity} at {cost}"
    near = _cheapest(rows, lambda row: row.sqnr_db >= best.sqnr_db - CLOSE_DB)
    if near.gbops_per_frame >= best.gbops_per_frame:
        return [
            f"{lead}{_against(comparison, best)}.",
            f"No cheaper scheme comes within {CLOSE_DB:g} dB of it.",
        ]
    near_cost = f"{near.gbops_per_frame:.{digits}f} GBOPs per frame"
    reached = "exact" if near.sqnr_db >= EXACT_DB else f"{sqnr_text(near.sqnr_db)} dB"
    return [
        f"{lead}.",
        f"The cheapest within {CLOSE_DB:g} dB of it is `{near.name}`: {reached} at {near_cost}"
        f"{_against(comparison, near)}.",
    ]


def _by_measure(
    measure: Measure, measured: Sequence[float | None], rows: Sequence[Row], digits: int
) -> list[str]:
    values = {row.name: value for row, value in zip(rows, measured, strict=True) if value is not None}
    scored = [row for row in rows if row.name in values]
    if len(scored) < 2 or measure.unit not in CLOSE:
        return []
    sign = 1 if measure.higher_is_better else -1
    best = min(scored, key=lambda row: (-sign * values[row.name], row.gbops_per_frame))
    near = _cheapest(scored, lambda row: sign * (values[best.name] - values[row.name]) <= CLOSE[measure.unit])
    lead = f"By {measure.label} the best is `{best.name}` ({measure.format(values[best.name])})"
    margin = f"{CLOSE[measure.unit]:g} {measure.unit}".strip()
    if near.gbops_per_frame >= best.gbops_per_frame:
        return [f"{lead}, and no cheaper scheme comes within {margin} of it."]
    cost = f"{near.gbops_per_frame:.{digits}f} GBOPs per frame"
    reached = measure.format(values[near.name])
    return [f"{lead}; the cheapest within {margin} of it is `{near.name}` ({reached}), at {cost}."]


def _cheapest(rows: Sequence[Row], accept: Callable[[Row], bool]) -> Row:
    """The cheapest row that is accepted; of equals the one with the higher SQNR."""
    return min(filter(accept, rows), key=lambda row: (row.gbops_per_frame, -row.sqnr_db))


def _against(comparison: Comparison, row: Row) -> str:
    """What a scheme costs beside fp32 and plain w8a8, where these were run and are not the scheme itself."""
    yardsticks = [
        (name, other.gbops_per_frame)
        for other in comparison.rows
        for name in [("fp32" if family(other.scheme) == "float" else other.name)]
        if name in ("fp32", PLAIN)
        and other is not row
        and min(row.gbops_per_frame, other.gbops_per_frame) > 0
    ]
    parts = [_ratio(cost / row.gbops_per_frame, name) for name, cost in yardsticks]
    return f", {' and '.join(parts)}" if parts else ""


def _ratio(ratio: float, name: str) -> str:
    """How many times less (or more) than `name` it costs; ratio: the cost of `name` over the scheme's."""
    times = max(ratio, 1 / ratio)
    if times < 1.05:
        return f"about as much as `{name}`"
    return f"{times:.{0 if times >= 9.95 else 1}f}× {'less' if ratio > 1 else 'more'} than `{name}`"
