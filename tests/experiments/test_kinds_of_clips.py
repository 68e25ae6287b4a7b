"""Residual frames beside frames of their cost, on any clip."""

from types import SimpleNamespace

import kinds_of_clips
import pytest


def test_a_row_has_every_run_of_every_scheme(video):
    found = kinds_of_clips.measure(video.network, video.source, "resq")
    assert list(found["schemes"]) == ["w4a8", "w8a4", kinds_of_clips.PAIR]
    costs = [values["gbops"] for values in found["schemes"].values()]
    assert costs == pytest.approx([costs[0]] * 3)  # which is what makes them comparable
    runs = {len(values[key]) for values in found["schemes"].values() for key in ("sqnr_db", "measure")}
    assert len(runs) == 1


def test_the_better_frame_scheme_is_what_counts():
    schemes = {
        "w4a8": {"sqnr_db": [10.0, 12.0, 11.0]},
        "w8a4": {"sqnr_db": [14.0, 13.0, 15.0]},
        kinds_of_clips.PAIR: {"sqnr_db": [15.0, 15.0, 15.0]},
    }
    value, low, high = kinds_of_clips.gain({"schemes": schemes}, "sqnr_db")
    assert value == pytest.approx(1) and low <= value <= high
    assert kinds_of_clips.gain({"schemes": schemes}, "measure") is None


def test_runs_without_what_the_task_measures_count_nowhere():
    values = {"w4a8": [None, 0.5], "w8a4": [0.25, 0.25], kinds_of_clips.PAIR: [0.9, 0.75]}
    schemes = {text: {"measure": column} for text, column in values.items()}
    assert kinds_of_clips.gain({"schemes": schemes}, "measure")[0] == pytest.approx(0.25)


def test_a_clip_that_is_in_no_folder_is_named(tmp_path, capsys):
    options = SimpleNamespace(data=tmp_path, clips=[tmp_path], networks=None)
    kind = kinds_of_clips.KINDS["talking head"]
    assert kinds_of_clips.files_of("talking head", kind, options) is None
    assert "talking head: left out, no carphone_pristine.mp4" in capsys.readouterr().out
