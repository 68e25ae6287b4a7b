"""A comparison in a few plain sentences. Each is a statement about the rows, so it holds for any data.

What is recommended must run where the user wants it to: on the chip or the engine that the comparison is
for, by that one's time; else on the integer engine, by bit operations. A measure recommends only where it
can: where it had something to measure, and did not give every scheme the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from videoquant.comparison import Comparison, Row
from videoquant.report.palette import family
from videoquant.report.table import against_labels, sqnr_text
from videoquant.report.targets import Target, ratio_text, target_of
from videoquant.tasks import Measure
from videoquant.tasks.sqnr import EXACT_DB

CLOSE_DB = 3.0  # an error of twice the power
PLAIN = "w8a8"  # what most tools give: the second yardstick beside fp32


def summary(comparison: Comparison) -> list[str]:
    """Sentences for the top of a report: the best quantized scheme, and the cheapest that comes near it.

    Once by SQNR and once by the first measure against labels; then the schemes that were passed over, since
    the target does not run them. What is recommended by the task's measure says `answer`. Scheme names stand
    between backquotes.
    """
    quantized = [row for row in comparison.rows if family(row.scheme) != "float"]
    if not quantized:
        return ["No quantized scheme was compared; there is only the floating-point network itself."]
    target = target_of(comparison)
    rows = [row for row in quantized if target.cost(row) is not None]
    if not rows:
        return [f"None of these schemes is recommended, since {target.name} runs none of them."]
    sentences = _by_sqnr(comparison, rows, target)
    if comparison.accuracy:
        first = comparison.accuracy[0]
        accuracies = [row.accuracy.get(first.name) for row in rows]
        sentences += _by_measure(against_labels(first), accuracies, rows, target)
    others = [row for row in quantized if target.cost(row) is None]
    if others:
        names = ", ".join(f"`{row.name}`" for row in others)
        sentences.append(f"Passed over, since {target.name} does not run {_them(others)}: {names}.")
    return sentences


def _by_sqnr(comparison: Comparison, rows: Sequence[Row], target: Target) -> list[str]:
    best = min(rows, key=lambda row: (-row.sqnr_db, target.of(row)))
    fidelity = "exactly fp32’s output" if best.sqnr_db >= EXACT_DB else f"{sqnr_text(best.sqnr_db)} dB SQNR"
    if len(rows) == 1:
        return [f"`{best.name}` gives {fidelity} at {target.text(best)}{_against(comparison, best, target)}."]
    lead = (
        f"Of {len(rows)} quantized schemes `{best.name}` stays closest to fp32: {fidelity} at "
        f"{target.text(best)}"
    )
    near = _cheapest(rows, target, lambda row: row.sqnr_db >= best.sqnr_db - CLOSE_DB)
    if target.of(near) >= target.of(best):
        return [
            f"{lead}{_against(comparison, best, target)}.",
            f"No cheaper scheme comes within {CLOSE_DB:g} dB of it.",
        ]
    reached = "exact" if near.sqnr_db >= EXACT_DB else f"{sqnr_text(near.sqnr_db)} dB"
    return [
        f"{lead}.",
        f"The cheapest within {CLOSE_DB:g} dB of it is `{near.name}`: {reached} at {target.text(near)}"
        f"{_against(comparison, near, target)}.",
    ]


def _by_measure(
    measure: Measure, measured: Sequence[float | None], rows: Sequence[Row], target: Target
) -> list[str]:
    if len(rows) < 2:
        return []
    values = {row.name: value for row, value in zip(rows, measured, strict=True) if value is not None}
    if len(values) < len(rows):
        return [f"{measure.label} recommends none: these frames show nothing that it could measure."]
    if len(set(values.values())) == 1:
        same = measure.format(next(iter(values.values())))
        return [f"{measure.label} recommends none: it is {same} for all, so it cannot tell them apart."]
    best = min(rows, key=lambda row: (-measure.gain(values[row.name], 0), target.of(row)))
    near = _cheapest(
        rows, target, lambda row: measure.gain(values[best.name], values[row.name]) <= measure.close
    )
    lead = f"By {measure.label} the best is `{best.name}` ({measure.format(values[best.name])})"
    margin = f"{measure.close:g} {measure.unit}".strip()
    if target.of(near) >= target.of(best):
        return [f"{lead}, and no cheaper scheme comes within {margin} of it."]
    reached = measure.format(values[near.name])
    return [
        f"{lead}; the cheapest within {margin} of it is `{near.name}` ({reached}), at {target.text(near)}."
    ]


def _cheapest(rows: Sequence[Row], target: Target, accept: Callable[[Row], bool]) -> Row:
    """The cheapest row that is accepted; of equals the one with the higher SQNR."""
    return min(filter(accept, rows), key=lambda row: (target.of(row), -row.sqnr_db))


def _against(comparison: Comparison, row: Row, target: Target) -> str:
    """What a scheme costs beside fp32 and plain w8a8, where these were run and are not the scheme itself."""
    own = target.of(row)
    parts = []
    for other in comparison.rows:
        name, cost = "fp32" if family(other.scheme) == "float" else other.name, target.cost(other)
        if other is not row and name in ("fp32", PLAIN) and cost is not None and min(own, cost) > 0:
            parts.append(ratio_text(cost / own, name))
    return f", {' and '.join(parts)}" if parts else ""


def _them(rows: Sequence[Row]) -> str:
    return "it" if len(rows) == 1 else "them"
