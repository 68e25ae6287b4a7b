"""Which of two lists belong together at the least cost: the Hungarian method.

Kuhn 1955, in the form with potentials of Jonker and Volgenant 1987: rows are added one by one, each by the
cheapest path that moves those before it. O(rows² · columns).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign(cost: NDArray[np.float64], limit: float) -> list[tuple[int, int]]:
    """The pairs (row, column), one to one, of the least total cost; those dearer than `limit` are left out.

    cost: N×M, finite.
    """
    if cost.shape[0] > cost.shape[1]:
        return sorted((row, column) for column, row in assign(cost.T, limit))
    # What is over the limit costs the same, so that no pair below it is given up to make it cheaper.
    cost = np.minimum(cost, 2 * limit + 1)
    rows, columns = cost.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns + 1)
    row_of = np.full(columns + 1, -1)  # the last column stands for the row that is being added
    for row in range(rows):
        row_of[columns] = row
        least, before = np.full(columns, np.inf), np.full(columns, columns)
        done = np.zeros(columns + 1, bool)
        column = columns
        while row_of[column] >= 0:
            done[column] = True
            at = row_of[column]
            reduced = cost[at] - row_price[at] - column_price[:columns]
            open_ = ~done[:columns]
            better = open_ & (reduced < least)
            least[better], before[better] = reduced[better], column
            following = int(np.where(open_, least, np.inf).argmin())
            step = least[following]
            used = np.flatnonzero(done)
            row_price[row_of[used]] += step
            column_price[used] -= step
            least[open_] -= step
            column = following
        while column != columns:
            row_of[column] = row_of[before[column]]
            column = int(before[column])
    pairs = [(int(row_of[column]), column) for column in range(columns) if row_of[column] >= 0]
    return sorted((row, column) for row, column in pairs if cost[row, column] <= limit)
