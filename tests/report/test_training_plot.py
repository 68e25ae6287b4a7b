"""The curves of a training: whole epochs, plain names, and the numbers beside."""

from __future__ import annotations

from pathlib import Path

from videoquant.report.plot_style import style
from videoquant.report.training_plot import training_plot, write_training_plot

HISTORY = [
    {"epoch": 0, "loss": 2.0, "learning_rate": 0.1},
    {"epoch": 1, "loss": 1.0, "learning_rate": 0.1, "validation": {"miou": 0.25, "own_score": 3.0}},
    {"epoch": 2, "loss": 0.5, "learning_rate": 0.01, "validation": {"miou": 0.5, "own_score": 4.0}},
]


def test_there_is_no_half_epoch_and_names_are_plain() -> None:
    with style():
        figure = training_plot(HISTORY, "ddrnet23_slim on camvid")
        figure.draw_without_rendering()
    loss, miou, own = figure.axes
    low, high = own.get_xlim()
    ticks = [tick for tick in own.get_xticks() if low <= tick <= high]
    assert ticks == [0, 1, 2]
    assert miou.get_title(loc="left") == "mIoU ↑ on validation data, averaged weights"
    assert own.get_title(loc="left") == "own score on validation data, averaged weights"
    top = figure._suptitle.get_window_extent()  # type: ignore[union-attr]
    assert not top.overlaps(loss.title.get_window_extent()) and top.y0 > loss.get_window_extent().y1


def test_numbers_stand_beside_the_curves(tmp_path: Path) -> None:
    write_training_plot(HISTORY, "a network", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "curves.png.csv").read_text() == (
        "epoch,loss,learning_rate,miou,own_score\n0,2.0,0.1,,\n1,1.0,0.1,0.25,3.0\n2,0.5,0.01,0.5,4.0\n"
    )
