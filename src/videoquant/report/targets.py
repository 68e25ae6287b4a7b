"""What schemes shall run on, and what that costs: bit operations, measured or simulated time, energy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from videoquant.comparison import Comparison, Row
from videoquant.engine.lower import check_scheme
from videoquant.errors import SchemeError
from videoquant.report.palette import family
from videoquant.report.table import cost_digits
from videoquant.schemes import Scheme

Cost = Literal["gbops", "ms", "mj"]
COSTS: tuple[Cost, ...] = get_args(Cost)


@dataclass(frozen=True)
class Target:
    """What schemes shall run on.

    name: what runs them.
    unit: of costs.
    cost: of a row, None where the target does not run it.
    digits: of costs, after the decimal point.
    """

    name: str
    unit: str
    cost: Callable[[Row], float | None]
    digits: int

    def of(self, row: Row) -> float:
        """The cost of a row that the target runs."""
        cost = self.cost(row)
        assert cost is not None
        return cost

    def text(self, row: Row) -> str:
        return f"{self.of(row):.{self.digits}f} {self.unit}"


def ratio_text(ratio: float, name: str) -> str:
    """How many times less (or more) than `name` it costs; ratio: the cost of `name` over the scheme's."""
    times = max(ratio, 1 / ratio)
    if times < 1.05:
        return f"about as much as `{name}`"
    return f"{times:.{0 if times >= 9.95 else 1}f}× {'less' if ratio > 1 else 'more'} than `{name}`"


def target_of(comparison: Comparison, wanted: Cost | None = None) -> Target:
    """What a comparison is for. wanted: the cost; by default time where something took it, else GBOPs."""
    name, unit, cost = _costs(comparison, wanted or default_cost(comparison))
    known = [value for row in comparison.rows if (value := cost(row)) is not None]
    return Target(name, unit, cost, cost_digits(known))


def default_cost(comparison: Comparison) -> Cost:
    """Time where something took it, else bit operations."""
    return "ms" if comparison.chip or comparison.engine else "gbops"


def known_costs(comparison: Comparison, cost: Cost) -> tuple[str, Callable[[Row], float | None]] | None:
    """The unit of a cost and what a row has of it; None where no row has any. GBOPs are every row's."""
    if cost == "gbops":
        return "GBOPs per frame", lambda row: row.gbops_per_frame
    _, unit, value = _costs(comparison, cost)
    return (unit, value) if any(value(row) is not None for row in comparison.rows) else None


def read_target(text: str | None, engine: bool, chip: bool) -> Cost | None:
    """The cost that --target names. Raises `SchemeError` for another, and one that nothing here has."""
    wanted = next((cost for cost in COSTS if cost == text), None)
    if text is not None and wanted is None:
        raise SchemeError(f"--target {text}: it must be {', '.join(COSTS[:-1])} or {COSTS[-1]}")
    if wanted == "ms" and not (engine or chip):
        raise SchemeError("--target ms: needs something that takes time, --engine frame or --chip NAME")
    if wanted == "mj" and not (engine or chip):
        raise SchemeError(
            "--target mj: needs --chip NAME, or --engine on a machine that measures its CPU's energy"
        )
    return wanted


def _costs(comparison: Comparison, wanted: Cost) -> tuple[str, str, Callable[[Row], float | None]]:
    chip = comparison.chip
    if wanted == "ms" and chip:
        unit = f"ms per frame on {chip.name} (simulated)"
        return chip.name, unit, lambda row: row.on_chip.ms if row.on_chip else None
    if wanted == "ms":
        return (
            comparison.runner,
            "ms per frame",
            lambda row: 1e3 / row.frames_per_second if row.frames_per_second else None,
        )
    if wanted == "mj" and chip:
        unit = f"mJ per frame on {chip.name} (simulated)"
        return chip.name, unit, lambda row: row.on_chip.mj if row.on_chip else None
    if wanted == "mj":
        return comparison.runner, "mJ per frame", lambda row: row.measured_mj
    return "the integer engine", "GBOPs per frame", _bit_operations


def _bit_operations(row: Row) -> float | None:
    return row.gbops_per_frame if family(row.scheme) == "float" or _on_engine(row) else None


def _on_engine(row: Row) -> bool:
    try:
        check_scheme(Scheme.parse(row.scheme))
    except SchemeError:
        return False
    return True
