"""The plot and the table of a frame by operator: what they show and what they leave to the files."""

import pytest

from videoquant.bench.machine import Machine
from videoquant.bench.profile import OperatorTime, Profile
from videoquant.bench.result import Benchmark
from videoquant.report.bench_profile import SHOWN, profile_table
from videoquant.report.plot_style import style
from videoquant.report.profile_plot import profile_plot


@pytest.fixture
def benchmark_of_many():
    machine = Machine("cpu", 2, (), {})
    operators = [OperatorTime("tiny", "map", 0.01, 0.001, 0, 10, 0.0, 0.005)]
    operators += [OperatorTime(f"conv{i}", "conv", 1.0 + i, 0.05, 10**9, 10**6, 0.5, 0.1) for i in range(20)]
    benchmark = Benchmark("net", "w8a8", 2, 1, 1.0, machine, ())
    benchmark.profiles["a.mp4"] = Profile(200.0, operators)
    return benchmark


def test_the_plot_shows_those_that_take_long_in_order(benchmark_of_many):
    with style():
        figure = profile_plot(benchmark_of_many, "a.mp4")
        figure.canvas.draw()
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"conv{i}  conv" for i in range(20)]
    assert [bar.get_width() for bar in axes.containers[0]] == [1.0 + i for i in range(20)]
    assert [bar.get_width() for bar in axes.containers[1]] == [0.5] * 20
    assert "200.00 ms; 0.01 ms in operators too short" in axes.get_title(loc="left")


def test_the_table_has_the_longest_first_and_adds_up_the_rest(benchmark_of_many):
    table = profile_table(benchmark_of_many, "a.mp4")
    names, _, ms = ([*column.cells] for column in table.columns[:3])
    assert names[:2] == ["conv19", "conv18"] and len(names) == SHOWN + 2
    assert names[-2:] == [f"{21 - SHOWN} others", "all"] and ms[-1] == "210.01"
    assert float(ms[-2]) == pytest.approx(sum(1.0 + i for i in range(20 - SHOWN)) + 0.01)
