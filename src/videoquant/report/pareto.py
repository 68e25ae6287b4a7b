"""The Pareto front: the rows that no other beats in cost and in fidelity."""

from __future__ import annotations

from collections.abc import Sequence

from videoquant.comparison import Row


def pareto(rows: Sequence[Row]) -> list[bool]:
    """For each row, whether it is on the Pareto front of GBOPs per frame (lower) and SQNR (higher).

    It is where no other row is at least as good in both and better in one; equal rows stand there together.
    """
    return front([(row.gbops_per_frame, row.sqnr_db) for row in rows])


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """For each (cost, fidelity), whether no other point is as good in both (cost lower) and better in one."""
    return [
        not any(c <= cost and f >= fidelity and (c, f) != (cost, fidelity) for c, f in points)
        for cost, fidelity in points
    ]
