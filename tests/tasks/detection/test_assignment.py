import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from videoquant.tasks.detection.assignment import assign

costs = arrays(
    np.float64,
    st.tuples(st.integers(0, 7), st.integers(0, 7)),
    elements=st.integers(0, 20).map(lambda value: value / 10),
)


@given(costs)
def test_it_is_scipy_s_total(cost):
    pairs = assign(cost, 10)
    rows, columns = linear_sum_assignment(cost)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs) == len(rows)
    assert abs(sum(cost[pair] for pair in pairs) - cost[rows, columns].sum()) < 1e-9


@given(costs, st.integers(0, 20).map(lambda value: value / 10))
def test_none_is_dearer_than_the_limit(cost, limit):
    assert all(cost[pair] <= limit for pair in assign(cost, limit))


def test_a_cheap_pair_is_not_given_up_for_one_that_is_too_dear():
    cost = np.array([[0.1, 0.5], [0.6, 9.0]])
    assert assign(cost, 0.8) == [(0, 1), (1, 0)]
    assert assign(np.array([[0.1, 9.0], [9.0, 9.0]]), 0.8) == [(0, 0)]
