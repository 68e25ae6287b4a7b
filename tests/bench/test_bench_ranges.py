"""The jobs of `bench ranges`, by stand-ins; of times only their form."""

import pytest

from videoquant.bench.ranges import DYNAMIC, UNIT, WARM_UP, activation, range_jobs, time_ranges


def test_medians_percentages_and_the_dynamic_total():
    times = {"min/max": 0.1, "quantize": 0.4, UNIT: 2.0, "quantile": 0.5}
    jobs = {name: (lambda ms=ms: ms) for name, ms in times.items()}
    rows = {row.job: row for row in time_ranges(56, jobs, 5)}
    assert rows[UNIT].percent == 100 and rows[UNIT].ms_spread == 0
    assert rows["quantile"].percent == 25 and rows["quantile"].paper_percent == 12
    total = rows["dynamic total"]
    assert total.ms_median == pytest.approx(sum(times[name] for name in DYNAMIC))
    assert total.percent == pytest.approx(125) and total.ms_spread is None


def test_warm_up_does_not_count_and_all_take_turns():
    calls = []

    def job(name):
        def run():
            calls.append(name)
            return 1000.0 if len(calls) <= WARM_UP * 3 else 1.0

        return run

    rows = time_ranges(56, {name: job(name) for name in DYNAMIC}, 4)
    assert all(row.ms_median in (1.0, 3.0) for row in rows)
    turns = [tuple(calls[i : i + 3]) for i in range(0, len(calls), 3)]
    assert len(turns) == WARM_UP + 4 and all(sorted(turn) == sorted(DYNAMIC) for turn in turns)
    assert len(set(turns)) > 1


def test_ranges_are_measured_on_an_activation_after_a_relu():
    x = activation(8)
    assert x.shape == (1, 64, 8, 8) and x.min() == 0
    assert all(job() > 0 for job in range_jobs(x).values())
