"""A panel for each engine; the numbers beside."""

from __future__ import annotations

from pathlib import Path

import pytest

from videoquant.bench.line import Line
from videoquant.bench.machine import Machine
from videoquant.bench.result import Benchmark, Row
from videoquant.report.bench_plot import bench_plot, write_bench_plot
from videoquant.report.plot_style import style

FRAMES = [0, 1, 2, 50, 51, 52]


def row(engine: str, mode: str, ms: float, line: Line | None = None) -> Row:
    times = [ms * (1 + 0.1 * (i % 3)) for i in range(len(FRAMES))]
    shares = [1.0] * 6 if line is None else [1.0, 0.3, 0.2, 0.5, 0.1, 0.2]
    return Row(
        "street.mp4", engine, mode, "int8", ms, 1.2 * ms, 0.1, None, 30.0, None, None, 1.0, {}, {}, None,
        None, times, shares, line,
    )  # fmt: skip


@pytest.fixture
def benchmark_() -> Benchmark:
    found = Benchmark(
        "posenet", "w8a8", 2, 10**9, 1e11, Machine("a CPU", 2, (), {}), (), frames={"street.mp4": FRAMES}
    )
    line = Line(1.0, 4.0, 0.2, 0.05)
    found.rows = [
        row("openvino", "frame", 8.0),
        row("videoquant", "frame", 6.0),
        row("videoquant", "exact", 3.0, line),
    ]
    return found


def test_each_engine_has_its_panel_the_others_behind_it(benchmark_: Benchmark) -> None:
    with style():
        figure = bench_plot(benchmark_, "street.mp4")
        figure.draw_without_rendering()
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert len(panels) == 4  # three along the clip, one against work
    titles = [axes.get_title(loc="left") for axes in panels]
    assert [text.rpartition(": ")[2] for text in titles[:3]] == ["8.00 ms", "6.00 ms", "3.00 ms"]
    assert all(len(axes.get_lines()) >= 3 for axes in panels[:3])
    assert len({axes.get_ylim() for axes in panels}) == 1
    boxes = [axes.title.get_window_extent() for axes in panels]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i] if a.width and b.width)


def test_numbers_stand_beside_it(benchmark_: Benchmark, tmp_path: Path) -> None:
    write_bench_plot(benchmark_, "street.mp4", tmp_path / "b.png")
    lines = (tmp_path / "b.png.csv").read_text().splitlines()
    assert lines[0] == "engine,frame,ms,work_share" and len(lines) == 1 + 3 * len(FRAMES)
    assert lines[-1].startswith(benchmark_.rows[-1].label + ",52,")
